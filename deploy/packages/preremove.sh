#!/bin/sh
# Before removal, of deb ("remove", "upgrade") and rpm (0 the last, 1 upgrade): an upgrade restarts the node afterwards.
set -e
case "${1:-}" in
remove | 0) [ -d /run/systemd/system ] && systemctl disable --now fairlead.service ;;
esac
exit 0
