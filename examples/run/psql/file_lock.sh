#!/bin/sh
# The same as each_asks.sh, under a lock in the file system.
mkdir lock 2>/dev/null || exit 0
if [ "$(psql -XqAtc 'SELECT used FROM coupons')" = f ]; then
    psql -Xqc 'UPDATE coupons SET used = true' && echo redeemed
fi
rmdir lock
