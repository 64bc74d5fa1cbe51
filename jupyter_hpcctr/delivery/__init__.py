"""Messages that arrive once and in order over connections that come and go; shared by server and agent."""
