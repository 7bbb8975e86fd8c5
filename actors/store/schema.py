"""The tables, in SQLAlchemy Core: what `migrations/` must add up to (a test compares the two).

Column names are the field names of the classes in `entries.py` and `records.py` where there is such a field.
`position` keeps the order of the file. What belongs to an agent goes with the agent, but not what has happened: calls,
offers, states and the audit outlive the agents, queues and trunks that they name, and refer to them without a foreign
key. Times are seconds since the Unix epoch.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

# Names for constraints, so that a later migration can drop them; SQLite gives none of its own.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

organisation = Table(
    "organisation",
    metadata,
    # There is one row, with the id 1.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),
    Column("time_zone", String, nullable=False),
    Column("country", String, nullable=False),
    Column("language", String, nullable=False),
    Column("holidays", JSON, nullable=False),
)

trunks = Table(
    "trunks",
    metadata,
    Column("id", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("peers", JSON, nullable=False),
    Column("proxy", JSON, nullable=False),
    Column("domain", String, nullable=False),
    Column("username", String, nullable=False),
    Column("login", String, nullable=False),
    # In clear: digest authentication computes with it (RFC 8760 §2). The file has mode 0600.
    Column("password", String, nullable=False),
    Column("realms", JSON, nullable=False),
    Column("register", Boolean, nullable=False),
    Column("nat", Boolean, nullable=False),
    Column("number_in", String, nullable=False),
    Column("srtp", Boolean, nullable=False),
    Column("refer", Boolean, nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("format", String, nullable=False),
    Column("strip", Integer, nullable=False),
    Column("prefix", String, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("calls_per_minute", Integer, nullable=False),
)

queues = Table(
    "queues",
    metadata,
    Column("id", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("strategy", String, nullable=False),
    Column("ring_seconds", Float, nullable=False),
    Column("wrap_up_seconds", Float, nullable=False),
    Column("survey", Boolean, nullable=False),
    Column("max_wait_seconds", Float, nullable=False),
    Column("announce_seconds", Float, nullable=False),
    Column("early_seconds", Float, nullable=False),
    # The name of a piece in DATA/music; empty: the built-in one.
    Column("music", String, nullable=False),
    Column("widen_seconds", Float, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("max_waiting", Integer, nullable=False),
    Column("unattended", String, nullable=False),
    Column("overflow", String, nullable=False),
    Column("hours", JSON, nullable=False),
    Column("closed", String, nullable=False),
    Column("announce_wait", Boolean, nullable=False),
    Column("last_agent_seconds", Float, nullable=False),
    Column("last_agent_days", Integer, nullable=False),
)

agents = Table(
    "agents",
    metadata,
    Column("id", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("email", String, nullable=False),
    # argon2id in its encoded form; null: this agent cannot log in yet.
    Column("password_hash", String),
    Column("role", String, nullable=False),
    Column("mobile", String, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("calls_per_minute", Integer, nullable=False),
)

skills = Table(
    "skills",
    metadata,
    Column("agent", String, ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
    Column("queue", String, ForeignKey("queues.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("level", Integer, nullable=False),
)

numbers = Table(
    "numbers",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("number", String, nullable=False),
    Column("pattern", String, nullable=False),
    Column("route", String, nullable=False),
    Column("outbound", Boolean, nullable=False),
    Column("priority", Integer, nullable=False),
)

dialling = Table(
    "dialling",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("allow", String),
    Column("deny", String),
    Column("premium", Boolean, nullable=False),
    Column("trunks", JSON, nullable=False),
)

sms_templates = Table(
    "sms_templates",
    metadata,
    Column("id", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("text", String, nullable=False),
    Column("approved", Boolean, nullable=False),
)

windows = Table(
    "windows",
    metadata,
    Column("name", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("url", String, nullable=False),
    Column("secret", String, nullable=False),
    Column("origin", String, nullable=False),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("url", String, nullable=False),
    # In clear: what is sent is signed with it.
    Column("secret", String, nullable=False),
    Column("events", JSON, nullable=False),
)

# What is on its way to them, and for some days what was: see `outbox.py`.
deliveries = Table(
    "deliveries",
    metadata,
    Column("webhook", String, ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String, primary_key=True),
    Column("body", String, nullable=False),
    Column("made", Float, nullable=False),
    Column("tries", Integer, nullable=False),
    # When it is tried next; null: it is not, any more.
    Column("due", Float),
    # When it was taken; null: it was not.
    Column("taken", Float),
    # What the last try met, where that failed.
    Column("trouble", String, nullable=False),
    Index(None, "due"),
    Index(None, "made"),
)

logins = Table(
    "logins",
    metadata,
    # SHA-256 of the token: who reads this table cannot log in with it.
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("agent", String, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
    Column("expires", Float, nullable=False),
    Index(None, "agent"),
    Index(None, "expires"),
)

# --- what has happened ------------------------------------------------------------------------------------------

calls = Table(
    "calls",
    metadata,
    Column("call", String, primary_key=True),
    Column("trunk", String, nullable=False),
    Column("direction", String, nullable=False),
    Column("caller", String, nullable=False),
    Column("caller_name", String, nullable=False),
    Column("dialled", String, nullable=False),
    Column("queue", String, nullable=False),
    Column("began", Float, nullable=False),
    Column("answered", Float),
    Column("ended", Float),
    Column("ended_by", String, nullable=False),
    Column("cause", String, nullable=False),
    Column("test", Boolean, nullable=False),
    Column("recorded", Boolean, nullable=False),
    Column("diverted_from", String, nullable=False),
    # The newest calls, page by page; those of one customer; and those that are open, as below.
    Index(None, "began", "call"),
    Index(None, "caller", "began"),
    Index(None, "ended"),
)

legs = Table(
    "legs",
    metadata,
    Column("call", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("party", String, nullable=False),
    Column("began", Float, nullable=False),
    Column("ended", Float),
    Column("to", String, nullable=False),
    Index(None, "ended"),
)

holds = Table(
    "holds",
    metadata,
    Column("call", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("began", Float, nullable=False),
    Column("ended", Float),
    Index(None, "ended"),
)

surveys = Table(
    "surveys",
    metadata,
    Column("call", String, primary_key=True),
    Column("agent", String, nullable=False),
    Column("queue", String, nullable=False),
    Column("began", Float, nullable=False),
    Column("answer", String, nullable=False),
    Column("ended", Float),
    # Of an agent or a queue in a time; and those that are open.
    Index(None, "agent", "began"),
    Index(None, "queue", "began"),
    Index(None, "ended"),
)

messages = Table(
    "messages",
    metadata,
    Column("call", String, primary_key=True),
    Column("queue", String, nullable=False),
    Column("began", Float, nullable=False),
    Column("ended", Float),
    # Those of a queue in a time; and those that are open.
    Index(None, "queue", "began"),
    Index(None, "ended"),
)

# Messages that somebody has seen to.
handled = Table(
    "handled",
    metadata,
    Column("call", String, primary_key=True),
    Column("agent", String, nullable=False),
    Column("at", Float, nullable=False),
)

mobiles = Table(
    "mobiles",
    metadata,
    Column("agent", String, primary_key=True),
    Column("number", String, nullable=False),
    Column("answering", Boolean, nullable=False),
)

transfers = Table(
    "transfers",
    metadata,
    Column("call", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("agent", String, nullable=False),
    Column("queue", String, nullable=False),
    Column("to", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("why", String, nullable=False),
    Column("cause", String, nullable=False),
)

offers = Table(
    "offers",
    metadata,
    Column("call", String, primary_key=True),
    Column("agent", String, primary_key=True),
    Column("offered", Float, primary_key=True, autoincrement=False),
    Column("queue", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("decided", Float),
    Column("ended", Float),
    Column("purpose", String, nullable=False),
    Index(None, "agent", "offered"),
    Index(None, "ended"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("call", String, primary_key=True),
    Column("queue", String, primary_key=True),
    Column("at", Float, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("chosen", String, nullable=False),
    Column("roster", String, nullable=False),
    Column("facts", LargeBinary, nullable=False),
    # The oldest, which are pruned.
    Index(None, "at"),
)

rosters = Table(
    "rosters",
    metadata,
    Column("roster", String, primary_key=True),
    Column("agents", String, nullable=False),
    Column("at", Float, nullable=False),
    Index(None, "at"),
)

# Since when the rows of a table are kept, where older ones were pruned.
pruned = Table(
    "pruned",
    metadata,
    Column("name", String, primary_key=True),
    Column("since", Float, nullable=False),
)

agent_states = Table(
    "agent_states",
    metadata,
    Column("agent", String, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("since", Float, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("call", String, nullable=False),
    Index(None, "agent", "since"),
    Index(None, "since"),
)

recordings = Table(
    "recordings",
    metadata,
    Column("call", String, primary_key=True),
    Column("file", String, nullable=False),
    Column("format", String, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("peaks", String, nullable=False),
    Column("reason", String, nullable=False),
)

qualities = Table(
    "qualities",
    metadata,
    Column("call", String, primary_key=True),
    Column("party", String, primary_key=True),
    Column("began", Float, primary_key=True, autoincrement=False),
    Column("points", LargeBinary, nullable=False),
)

sounds = Table(
    "sounds",
    metadata,
    Column("call", String, primary_key=True),
    Column("party", String, primary_key=True),
    Column("at", Float, primary_key=True, autoincrement=False),
    Column("comes", Boolean, nullable=False),
    Column("goes", Boolean, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("agent", String, nullable=False),
    Column("address", String, nullable=False),
    Column("action", String, nullable=False),
    Column("call", String, nullable=False),
    Column("allowed", Boolean, nullable=False),
    Index(None, "at"),
    Index(None, "call", "at"),
)

# --- the paperwork ----------------------------------------------------------------------------------------------

customers = Table(
    "customers",
    metadata,
    Column("customer", String, primary_key=True),
    Column("made", Float, nullable=False),
)

# In E.164 where it is a telephone number: each leads to one customer.
customer_numbers = Table(
    "customer_numbers",
    metadata,
    Column("number", String, primary_key=True),
    Column("customer", String, ForeignKey("customers.customer"), nullable=False),
    Index(None, "customer"),
)

# Of calls that showed no number.
call_customers = Table(
    "call_customers",
    metadata,
    Column("call", String, primary_key=True),
    Column("customer", String, ForeignKey("customers.customer"), nullable=False),
)

customer_tags = Table(
    "customer_tags",
    metadata,
    Column("customer", String, ForeignKey("customers.customer"), primary_key=True),
    Column("tag", String, primary_key=True),
    Column("agent", String, nullable=False),
    Column("call", String, nullable=False),
    Column("at", Float, nullable=False),
    Index(None, "tag"),
)

tickets = Table(
    "tickets",
    metadata,
    Column("ticket", String, primary_key=True),
    Column("customer", String, ForeignKey("customers.customer"), nullable=False),
    Column("call", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("opened", Float, nullable=False),
    # Drawn by whoever opens it, so that saying it again opens no second one.
    Column("key", String, nullable=False),
    Index(None, "customer", "key", unique=True),
)

# What is typed, as it stands: see `fields.py`. `of` is a customer, a ticket, or the call of a summary, whose `field` is
# its agent.
fields = Table(
    "fields",
    metadata,
    Column("kind", String, primary_key=True),
    Column("of", String, primary_key=True),
    Column("field", String, primary_key=True),
    Column("value", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("agent", String, nullable=False),
    Column("call", String, nullable=False),
    Column("at", Float, nullable=False),
    # When the first value was written that this one has taken the place of without a trace.
    Column("since", Float, nullable=False),
)

# ... and as it stood before.
field_versions = Table(
    "field_versions",
    metadata,
    Column("kind", String, primary_key=True),
    Column("of", String, primary_key=True),
    Column("field", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("value", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("call", String, nullable=False),
    Column("at", Float, nullable=False),
)
