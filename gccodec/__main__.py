"""python -m gccodec"""

from gccodec.cli.main import main

if __name__ == "__main__":
    main()
