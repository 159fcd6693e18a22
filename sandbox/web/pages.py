from sandbox.api.messages import Answer


def handle(world, call):
    return Answer(501, b"", "text/plain")
