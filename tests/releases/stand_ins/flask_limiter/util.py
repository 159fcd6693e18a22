def get_remote_address() -> str:
    return "127.0.0.1"
