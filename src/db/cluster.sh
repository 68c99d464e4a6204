# Runs a PostgreSQL server for whoever holds the other end of its standard input, and no longer: when
# that is closed, by whatever kind of death, the server is stopped and its directory removed.
# $1: where the programs are; $2: the directory, to be removed in the end; $3: addresses, none but a
# Unix socket's where it is empty; $4: the port.
bin=$1 dir=$2 addresses=$3 port=$4 server=
# Nobody may be there any more to be told something.
trap : HUP INT TERM PIPE

start() {
    : >"$dir/log"
    "$bin/postgres" -D "$dir/data" \
        -c listen_addresses="$addresses" -p "$port" -c unix_socket_directories="$dir" \
        -c max_connections=100 \
        -c fsync=off -c full_page_writes=off \
        -c wal_level=minimal -c max_wal_senders=0 -c max_logical_replication_workers=0 \
        -c autovacuum=off -c jit=off -c shared_buffers=32MB -c timezone=UTC \
        -c deadlock_timeout=1ms -c log_lock_waits=on -c log_min_messages=fatal \
        </dev/null >>"$dir/log" 2>&1 &
    server=$!
}

say() {
    echo "$1" 2>/dev/null
}

# Sends a signal to the server's processes; a stopped one needs to go on to hear that all is over.
processes() {
    for stat in /proc/[0-9]*/stat; do
        read -r pid _ _ parent _ <"$stat" && [ "$parent" = "$server" ] && kill -s "$1" "$pid"
    done 2>/dev/null
}

# Ends the server, at once. It is told so until it hears: a background process of a shell starts out
# deaf to QUIT, and the server listens only once it has come so far.
quit() {
    while kill -s QUIT "$server"; do
        kill -s CONT "$server"
        sleep 0.1
    done 2>/dev/null &
    telling=$!
    wait "$server"
    kill "$telling" 2>/dev/null
    server=
}

if "$bin/initdb" -D "$dir/data" -U toctou -A trust -E UTF8 --locale=C --wal-segsize=1 --no-sync \
    </dev/null >"$dir/log" 2>&1; then
    start
    say started
else
    say failed
fi

while read -r order; do
    case $order in
    start) [ -n "$server" ] || start ;;
    # The first process is held, so that it can neither mourn the others nor replace them.
    kill) [ -z "$server" ] || {
        kill -s STOP "$server"
        processes KILL
        quit
    } ;;
    esac
    say "done"
done

trap '' HUP INT TERM
[ -z "$server" ] || {
    processes CONT
    quit
}
rm -rf "$dir"
