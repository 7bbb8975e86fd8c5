"""Who decides: calls, agents, queues, trunks and the switchboard, each a pure state machine in a thin shell."""
