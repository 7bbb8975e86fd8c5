"""The media switch: datagrams in, datagrams out. It knows no SIP and no actor."""
