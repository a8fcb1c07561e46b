"""Fetch a report for each customer. Each account of the API allows a fixed number of calls at a time."""

import os
from urllib.request import urlopen

from airflow.sdk import DAG

from account_limiter import AccountLimit, SlotOperator, SlotWork

API = os.environ.get("REPORTS_API", "https://api.example")
LIMITS = [AccountLimit("gold", limit=5), AccountLimit("free", limit=1)]


class FetchReport(SlotOperator):
    def __init__(self, *, account, customer, **kwargs):
        super().__init__(prefix="{reports}:limiter:", **kwargs)
        self.account, self.url = account, f"{API}/{account}/{customer}"

    def slot_work(self, context):
        return SlotWork(self.account, self.fetch, prepare=lambda limiter: limiter.configure(accounts=LIMITS))

    def fetch(self, holder, state):
        return urlopen(self.url).read().decode()


customers = [{"account": account, "customer": number} for account in ("gold", "free") for number in range(3)]
with DAG("fetch_reports"):
    FetchReport.partial(task_id="fetch_report").expand_kwargs(customers)
