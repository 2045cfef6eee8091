"""`python -m ccserver`: the same as the `ccserver` command."""

from ccserver.cli import main

if __name__ == "__main__":
    main()
