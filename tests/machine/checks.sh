# Run as root in the machine, by checks.service; one line a check.

check() { # NAME COMMAND...
    local name=$1; shift
    for _ in $(seq 60); do
        if "$@" >/tmp/said 2>&1; then echo "ok $name"; return; fi
        sleep 0.5
    done
    echo "not ok $name: $(tail -c 300 /tmp/said | tr '\n' ' ')"
}
property() { systemctl show "$1" -p "$2" --value; }
is() { [ "$(property "$1" "$2")" = "$3" ] || { property "$1" "$2"; false; }; }
says() { local text=$1; shift; "$@" | grep -F -- "$text"; }
gone() { ! pgrep -f "$1"; }
groups() { find "/sys/fs/cgroup/system.slice/$1.service" -mindepth 1 -type d -printf '%f\n'; }
shell() { curl -s "http://localhost:8000$1" "${@:2}"; }
astra() { curl -s "http://localhost:7031/supervisor$1" "${@:2}"; }

echo "# $(uname -r), $(systemctl --version | head -1)"
check "the shell is ready when systemctl start returns" systemctl start llm-shell
check "it answers at once" says healthy shell /health
check "astra is ready when systemctl start returns" systemctl start astra
check "systemctl status shows what the shell does" is llm-shell StatusText "no command was started yet"

shell /start -d '{"command":"sleep 601 & sleep 602"}' >/dev/null
check "the server is in a leaf" says server groups llm-shell
check "a run has a group of its own" says run- groups llm-shell
check "systemctl status shows the command" says "sleep 602" property llm-shell StatusText

check "a service that needs more memory is ended by its limit" says '"ended_by":"limit"' astra /services/hog
check "the limit ends all of it" gone 'sleep 6001'
check "it printed nothing after its end" says '"total_lines":0' astra /logs/hog
check "a service cannot have more processes than its limit" says "Cannot fork" astra /logs/crowd
check "a service is slowed down to its CPU limit" says 'cpu.max 20000 100000' sh -c \
    'cd /sys/fs/cgroup/system.slice/astra.service && for run in run-*; do echo cpu.max $(cat $run/cpu.max); done'
check "and needed to be" sh -c 'cat /sys/fs/cgroup/system.slice/astra.service/run-*/cpu.stat | grep "nr_throttled [1-9]"'
check "systemctl status shows the services" says "services are up" property astra StatusText
check "systemctl reload reads the file" systemctl reload astra
check "and says so in the journal" says "Nothing has changed in the file" journalctl -u astra
astra /stop -d '{"name":"daemon"}' >/dev/null
check "a daemon without an environment is ended with its service" gone 'sleep 60$'

kill -KILL "$(property llm-shell MainPID)"
check "a killed server is started again" is llm-shell NRestarts 1
check "nothing that it ran is left" gone 'sleep 60[12]'
check "its run is reported as lost" says '"ended_by":"lost"' shell /runs

kill -STOP "$(property llm-shell MainPID)"
sleep 30
check "a server that hangs is ended by the watchdog and started again" is llm-shell NRestarts 2
check "which the journal says" says "Watchdog timeout" journalctl -u llm-shell

systemctl stop llm-shell astra
check "the shell ended as it was asked to" is llm-shell Result success
check "and astra" is astra Result success

cp /opt/tests/llm-shell.socket /etc/systemd/system/
for unit in llm-shell astra; do
    mkdir -p "/etc/systemd/system/$unit.service.d"
    cp /opt/tests/hardening.conf "/etc/systemd/system/$unit.service.d/"
done
printf '[Service]\nLoadCredential=llm-shell.token:/etc/llm-shell.token\n' >/etc/systemd/system/llm-shell.service.d/token.conf
echo a-token-for-a-machine >/etc/llm-shell.token; chmod 600 /etc/llm-shell.token
systemctl daemon-reload
systemctl start llm-shell.socket
check "a socket of systemd starts the hardened shell" says healthy shell /health
check "a credential of systemd refuses unauthenticated clients" says unauthorized shell /status
try='{"command":"id -un; touch /usr/x; python3 -c \"print(6 * 7)\"","wait":20}'
check "a hardened shell runs commands as its user" says 'llm-shell\ntouch' shell /start -H 'Authorization: Bearer a-token-for-a-machine' -d "$try"
check "the hardened astra runs, with its groups" systemctl start astra
check "and its limits" says '"status":"running"' astra /status/busy
systemctl stop llm-shell.socket llm-shell astra
echo "# over"
