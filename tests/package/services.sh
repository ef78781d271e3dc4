# The units of the installed package under a real systemd, sourced by scripts/package-test, which gives $root,
# $work, fail and inside. Nothing here touches the machine's own systemd.

booted() { nsenter -a -t "$(cat "$work/pid")" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }
unit() { booted systemctl show --value -p "$1" "quipu-$2"; }
# The broker's journal as a file: a `grep -q` behind a pipe ends journalctl by SIGPIPE, and pipefail fails it.
journal() { booted journalctl --no-pager -u quipu-broker -o cat >"$work/journal"; }

# Whether this machine lets us have a control group and the namespaces.
can_boot() {
  local code=0
  tests/package/boot_systemd.sh probe >"$work/boot.log" 2>&1 &
  systemd=$!
  wait "$systemd" || code=$?
  remove_group "$systemd"
  systemd=
  return "$code"
}

boot() {
  tests/package/boot_systemd.sh "$root" "$work/pid" >"$work/boot.log" 2>&1 &
  systemd=$!
  for _ in $(seq 100); do
    if [ -s "$work/pid" ] && [ "$(booted systemctl is-system-running 2>/dev/null)" = running ]; then return; fi
    kill -0 "$systemd" 2>/dev/null || break
    sleep 0.2
  done
  cat "$work/boot.log" >&2
  [ ! -s "$work/pid" ] || booted systemctl --failed --no-pager >&2 || true
  fail "the root's systemd does not come up"
}

shut_down() {
  [ -n "${systemd:-}" ] || return 0
  # Its id may not be told yet: it ends with `unshare`, too.
  [ ! -s "$work/pid" ] || kill -9 "$(cat "$work/pid")" 2>/dev/null || true
  kill -9 "$systemd" 2>/dev/null || true
  wait "$systemd" 2>/dev/null || true
  remove_group "$systemd"
  rm -f "$work/pid"
  systemd=
}

# $1: the id of boot_systemd.sh.
remove_group() {
  local group
  group=$(findmnt --noheadings --first-only --output TARGET --types cgroup2)/quipu-package-test-$1
  for _ in $(seq 50); do
    [ -d "$group" ] || return 0
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
  done
  echo "package-test: the control group $group could not be removed" >&2
}

# Waits until `unit $1 $2` is $3, at most $4 seconds.
await_unit() {
  for _ in $(seq $(($4 * 5))); do
    [ "$(unit "$1" "$2")" = "$3" ] && return
    sleep 0.2
  done
  booted journalctl --no-pager -n 30 -u "quipu-$2" >&2
  fail "quipu-$2: $1 is $(unit "$1" "$2") after $4 s and not $3"
}

# $1: what has happened to it. The payments so far are all read back, and one more is acknowledged.
payments=0
pay() {
  payments=$((payments + 1))
  booted sh -c "echo acc-1:$payments | quipu produce payments --timeout 30000" >/dev/null || fail "no payment goes through after $1"
  booted quipu consume payments --from-beginning -n "$payments" --timeout 30000 >"$work/read" || fail "payments cannot be read after $1"
  seq -f 'acc-1:%.0f' "$payments" | cmp -s - "$work/read" || { cat "$work/read" >&2; fail "not each payment was read after $1"; }
}

# $1: what to do to the broker; $2: the Result by which systemd names the end.
restarts_after() {
  local restarts
  restarts=$(unit NRestarts broker)
  booted systemctl kill --kill-whom=main -s "$1" quipu-broker
  await_unit NRestarts broker $((restarts + 1)) 20
  await_unit ActiveState broker active 20
  journal
  grep -q "Failed with result '$2'" "$work/journal" || fail "kill -$1 did not end it by $2"
  pay "kill -$1"
}

check_services() {
  # A root without CAP_SYS_RESOURCE (a container) cannot give more than it has.
  local files=1048576
  [ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge "$files" ] || files=$(ulimit -Hn)
  echo "package-test: the units under systemd $(booted systemctl --version | awk 'NR==1{print $2}')"
  for role in controller broker; do
    booted systemctl start "quipu-$role" || fail "an unformatted quipu-$role is an error"
    [ "$(unit ActiveState $role)" = inactive ] || fail "an unformatted quipu-$role was tried"
  done
  booted sh -ec '
    cluster=$(quipu storage random-id) directory=$(quipu storage random-id)
    runuser -u quipu -- quipu storage format /var/lib/quipu/controller --role controller --node-id 1 \
      --cluster-id "$cluster" --directory-id "$directory" --voter "1@127.0.0.1:9094:$directory"
    runuser -u quipu -- quipu storage format /var/lib/quipu/broker --role broker --node-id 1 --cluster-id "$cluster"
    systemctl enable --quiet --now quipu-controller quipu-broker' || fail "the services do not start"
  # Type=notify: started means serving.
  for role in controller broker; do
    [ "$(unit ActiveState $role) $(unit SubState $role)" = "active running" ] || fail "quipu-$role is not running"
    [ "$(booted stat -c %U "/proc/$(unit MainPID $role)")" = quipu ] || fail "quipu-$role does not run as quipu"
    booted grep -q "^Max open files *$files " "/proc/$(unit MainPID $role)/limits" || fail "quipu-$role may not open $files files"
  done
  booted quipu topic create payments -p 1 -r 1 >/dev/null
  pay "its start"

  restarts_after KILL signal
  mkdir -p "$root/etc/systemd/system/quipu-broker.service.d"
  printf '[Service]\nWatchdogSec=3\n' >"$root/etc/systemd/system/quipu-broker.service.d/watchdog.conf"
  booted sh -c 'systemctl daemon-reload; systemctl restart quipu-broker'
  sleep 7  # twice the watchdog's time: it is fed
  [ "$(unit NRestarts broker)" = 0 ] || fail "the watchdog of a sound broker was not fed"
  restarts_after STOP watchdog

  booted systemctl stop quipu-broker
  [ "$(unit Result broker)" = success ] || fail "a stop ends with $(unit Result broker)"
  booted systemctl start quipu-broker
  pay "a stop"
  journal
  awk '/^Starting/ { last = "" } { last = last $0 "\n" } END { printf "%s", last }' "$work/journal" >"$work/last_start"
  { grep -q 'event=broker\.registered ' "$work/last_start" \
    && ! grep -q 'event=broker\.registered_unclean\|event=storage\.unproven' "$work/last_start"; } \
    || { cat "$work/last_start" >&2; fail "after a stop the start was unclean"; }

  echo "log.dri=/x" >>"$root/etc/quipu/broker.conf"
  booted systemctl restart quipu-broker 2>/dev/null && fail "a wrong configuration started"
  sleep 3  # past RestartSec
  [ "$(unit ActiveState broker) $(unit ExecMainStatus broker)" = "failed 2" ] || fail "a wrong configuration is tried again"
  journal
  grep -q 'broker.conf:[0-9]*.*log.dir' "$work/journal" || fail "the journal does not say what is wrong"
  sed -i '$d' "$root/etc/quipu/broker.conf"
  booted sh -c 'systemctl reset-failed quipu-broker; systemctl start quipu-broker' || fail "the mended configuration does not start"
  pay "a wrong configuration"

  local main
  main=$(unit MainPID broker)
  booted apt-get install -y -qq --reinstall --no-install-recommends /quipu.deb >"$work/reinstall.log" 2>&1 || fail "it cannot be installed over itself"
  [ "$(unit MainPID broker)" = "$main" ] || fail "an upgrade stopped the broker"
  booted apt-get remove -y -qq quipu >"$work/remove.log" 2>&1 || { cat "$work/remove.log" >&2; fail "it cannot be removed while it runs"; }
  booted sh -c '! ls -l /proc/[0-9]*/exe 2>/dev/null | grep quipu' || fail "remove left a process"
  [ -n "$(ls "$root/var/lib/quipu/broker")" ] || fail "remove deleted data"
  booted apt-get install -y -qq --no-install-recommends /quipu.deb >/dev/null 2>&1 || fail "it cannot be installed again"
  booted systemctl start quipu-controller quipu-broker || fail "the services do not start after remove and install"
  pay "remove and install"
  booted systemctl disable --quiet --now quipu-broker quipu-controller
  rm -r "$root/var/lib/quipu/broker" "$root/var/lib/quipu/controller" "$root/etc/systemd/system/quipu-broker.service.d"
}
