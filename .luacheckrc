-- Redis runs every Lua file of this project, in Lua 5.1.
std = "lua51"
read_globals = { "redis", "server", "cjson", "cmsgpack", "struct", "bit", "KEYS", "ARGV" }
max_line_length = 120
