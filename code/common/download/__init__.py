"""Downloads over HTTP that end, whatever the server does, and leave a complete file or none.

`fetch` gets one file, `read_metadata` MLCommons' lists of files; `mirror` is the user's own store of them.
"""

from code.common.download import mirror
from code.common.download.fetch import OfflineError, fetch
from code.common.download.metadata import Listed, parse_list, read_metadata
from code.common.download.patience import Patience
from code.common.download.rate import Rate, measure

__all__ = ["Listed", "OfflineError", "Patience", "Rate", "fetch", "measure", "mirror", "parse_list", "read_metadata"]
