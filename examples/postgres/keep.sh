# Runs one PostgreSQL server for as long as the process at the other end of stdin lives.
#
#   sh keep.sh INITDB DATA_DIRECTORY DATABASE POSTGRES [OPTION…]
#
# The first line on stdin stops the server. When stdin ends, the data directory and its files are removed, unless a later
# line said `keep`. A process that dies, even by SIGKILL, closes the pipe: both happen, and nothing is left.
initdb=$1 data=$2 database=$3
shift 3

if [ ! -e "$data/PG_VERSION" ]; then
  "$initdb" -D "$data" -U postgres -A trust --no-sync --locale=C --encoding=UTF8 </dev/null >/dev/null
  if [ "$database" != postgres ]; then
    echo "CREATE DATABASE $database" | "$1" --single -F -D "$data" postgres >/dev/null
  fi
fi

"$@" -D "$data" &
server=$!
# From here on the server alone holds the pipe on stderr: its end tells the launcher that the server is gone.
exec 2>/dev/null

read -r _
# INT is a fast shutdown, but a shell starts background processes with INT ignored: one that arrives before
# the server has installed its handlers would be lost, and the server run for ever. TERM ends it even then.
kill -TERM $server
kill -INT $server
wait $server

while read -r word; do
  [ "$word" = keep ] && exit
done
rm -rf "$data" "$data.files"
