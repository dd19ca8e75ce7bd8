"""`protocol`: all that is needed to do a suite again without its code."""


def protocol() -> int:
    """Print the page that results/PROTOCOL.md is: data, model, training, figures, tuning, comparisons."""
    from bench.cli.protocol_page import protocol_page

    print(protocol_page(), end="")
    return 0
