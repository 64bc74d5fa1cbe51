"""What crosses the job's border: typed values with a format number, and the words that stand for what is not known yet.

Shared by the server, which makes these values, and by what runs in the job, which reads them: standard library alone,
Python 3.9 or later.
"""
