#!/bin/sh
# Redeems the coupon by two commands, each of which connects anew, and says "redeemed".
if [ "$(psql -XqAtc 'SELECT used FROM coupons')" = f ]; then
    psql -Xqc 'UPDATE coupons SET used = true' && echo redeemed
fi
