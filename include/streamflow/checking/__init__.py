"""The check of one stream: its tries, the slot it holds, its verdict, and the channels that it finishes."""
