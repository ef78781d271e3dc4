#!/usr/bin/env python3
"""Makes the sample of payments that the quickstart streams: invented, the same at every run.

Writes payments.csv (account, seq, date, amount, balance, text) to standard output and, with a file
name as argument, the table that the run must end with.
"""
import random
import sys

ACCOUNTS = 300
ROWS = 40000
WORDS = ["rent", "salary", "grocer", "tram", "loan", "gift", "tax", "books", "repair", "insurance"]


def main():
    source = random.Random(20260101)
    balance = [0] * ACCOUNTS
    count = [0] * ACCOUNTS
    print("account,seq,date,amount,balance,text")
    for row in range(ROWS):
        # A few accounts are busy, most are quiet, as in real life.
        account = min(int(source.paretovariate(0.6)) - 1, ACCOUNTS - 1)
        if account == ACCOUNTS - 1:
            account = source.randrange(ACCOUNTS)
        amount = source.randrange(1000, 200000) * (1 if source.random() < 0.52 else -1)
        balance[account] += amount
        day = row * 365 // ROWS
        date = f"2025-{1 + day // 31:02d}-{1 + day % 28:02d}"
        print(f"{10000 + account},{count[account]},{date},{amount},{balance[account]},"
              f"{source.choice(WORDS)}")
        count[account] += 1
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="ascii") as table:
            table.write("account,payments,sum,final_balance\n")
            for account in range(ACCOUNTS):
                if count[account]:
                    table.write(f"{10000 + account},{count[account]},{balance[account]},"
                                f"{balance[account]}\n")


if __name__ == "__main__":
    main()
