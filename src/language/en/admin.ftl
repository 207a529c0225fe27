# The help desk's pages and the live board.
