# Runs one MariaDB server for as long as the process at the other end of stdin lives.
#
#   sh keep.sh INSTALL_DB DATA_DIRECTORY DATABASE MARIADBD [OPTION…]
#
# The first line on stdin stops the server; `kill` does so without a goodbye. When stdin ends, the data directory is
# removed, unless a later line said `keep`. A process that dies, even by SIGKILL, closes the pipe: both happen, and nothing
# is left.
install=$1 data=$2 database=$3 server=$4
shift 4

if [ ! -e "$data/mysql" ]; then
  "$install" --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db --force \
    --skip-name-resolve --innodb-log-file-size=8M </dev/null >/dev/null
  # The superuser of these tests, who needs no password and may come by TCP.
  {
    echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
    echo "FLUSH PRIVILEGES;"
    echo "CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY '';"
    echo "GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;"
  } | "$server" --no-defaults --bootstrap --datadir="$data" --innodb-log-file-size=8M >/dev/null
fi

"$server" --no-defaults --datadir="$data" "$@" &
pid=$!
# From here on the server alone holds the pipe on stderr: its end tells the launcher that the server is gone.
exec 2>/dev/null

read -r word
if [ "$word" = kill ]; then kill -KILL $pid; else kill -TERM $pid; fi
wait $pid

while read -r word; do
  [ "$word" = keep ] && exit
done
rm -rf "$data"
