# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# The network of the demonstration: two agents and four containers, each in a network namespace,
# and whatever runs in them. Sourced by demo.sh; WORK is its directory of temporary files.

PREFIX=felix-demo-$$
PORT=9000
GATEWAY=169.254.1.1
GATEWAY_MAC=ee:ee:ee:ee:ee:ee
AGENTS=(agent1 agent2)
TASKS=(A B C D)
declare -A AGENT_ADDRESS=([agent1]=172.31.0.1 [agent2]=172.31.0.2)
declare -A TASKS_OF=([agent1]='A and B' [agent2]='C and D')
declare -A AGENT_OF=([A]=agent1 [B]=agent1 [C]=agent2 [D]=agent2)
declare -A ADDRESS=([A]=10.65.1.2 [B]=10.65.1.3 [C]=10.65.2.2 [D]=10.65.2.3)
NAMESPACES=()

# Ends what was started here, by its id, and waits for it before the namespaces go.
stop_processes() {
  local pid deadline=$((SECONDS + 3))
  local -a pids
  read -r -d '' -a pids <<< "$(jobs -pr)"
  [[ ${#pids[@]} -gt 0 ]] || return 0
  kill -TERM "${pids[@]}" 2> /dev/null
  for pid in "${pids[@]}"; do
    while kill -0 "$pid" 2> /dev/null && ((SECONDS < deadline)); do sleep 0.02; done
    kill -KILL "$pid" 2> /dev/null
    wait "$pid" 2> /dev/null
  done
}

clean_up() {
  local status=$? namespace
  trap - EXIT
  trap '' INT TERM HUP PIPE
  set +e
  stop_processes
  for namespace in "${NAMESPACES[@]}"; do
    ip netns delete "$namespace" 2> /dev/null
  done
  [[ -z $WORK ]] || rm -rf "$WORK"
  exit "$status"
}

make_namespace() {
  NAMESPACES+=("$PREFIX-$1")
  ip netns add "$PREFIX-$1" || setup_cannot_run 'cannot make a network namespace here'
  ip -n "$PREFIX-$1" link set lo up
}

# in_namespace NAME COMMAND...: in the foreground.
in_namespace() {
  local name=$1
  shift
  ip netns exec "$PREFIX-$name" "$@"
}

# run COMMAND...: in a way that an interruption ends at once, and the command with it.
run() {
  "$@" &
  wait "$!"
}

make_agents() {
  local agent
  for agent in "${AGENTS[@]}"; do
    make_namespace "$agent"
    in_namespace "$agent" sysctl -qw net.ipv4.ip_forward=1
  done
  ip -n "$PREFIX-agent1" link add uplink type veth peer name uplink netns "$PREFIX-agent2"
  for agent in "${AGENTS[@]}"; do
    ip -n "$PREFIX-$agent" address add "${AGENT_ADDRESS[$agent]}/30" dev uplink
    ip -n "$PREFIX-$agent" link set uplink up
  done
}

# A container as Calico makes it: a /32 of its own, and a gateway that is only a neighbour entry
# for the host side of its veth pair. Every agent has a route to every container.
make_container() {
  local task=$1 agent=${AGENT_OF[$1]} host_side=cali$1 address=${ADDRESS[$1]} other
  local router=$PREFIX-$agent container=$PREFIX-$task
  make_namespace "$task"
  ip -n "$router" link add "$host_side" address "$GATEWAY_MAC" type veth \
    peer name eth0 netns "$container"
  in_namespace "$agent" sysctl -qw "net.ipv4.conf.$host_side.rp_filter=1"
  ip -n "$router" link set "$host_side" up
  ip -n "$container" link set eth0 up
  ip -n "$container" address add "$address/32" dev eth0
  ip -n "$container" neighbour add "$GATEWAY" lladdr "$GATEWAY_MAC" dev eth0 nud permanent
  ip -n "$container" route add "$GATEWAY" dev eth0 scope link
  ip -n "$container" route add default via "$GATEWAY" dev eth0
  ip -n "$router" route add "$address/32" dev "$host_side" scope link
  for other in "${AGENTS[@]}"; do
    [[ $other != "$agent" ]] || continue
    ip -n "$PREFIX-$other" route add "$address/32" via "${AGENT_ADDRESS[$agent]}"
  done
}

# start NAME LOG COMMAND...: in a namespace, in the background.
start() {
  local name=$1 log=$2
  shift 2
  : > "$log"
  ip netns exec "$PREFIX-$name" "$@" >> "$log" 2>&1 &
}
