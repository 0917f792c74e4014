"""The coding agent of a session: how it is started, listened to, stopped, and what becomes of its work."""
