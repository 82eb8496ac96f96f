# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034,SC2004
# The datastore of the demonstration: one directory of resources, $WORK/datastore, that both agents
# read, or one etcd, which runs beside agent1 and which both agents reach. Sourced by demo.sh after
# network.sh; GROUP is demo.sh's note of who is in which group, ETCD says which it is.

ETCD_URL=http://${AGENT_ADDRESS[agent1]}:2379
ETCD_PEER=http://127.0.0.1:2380

datastore_address() {
  if [[ $ETCD == yes ]]; then printf 'etcd:%s' "$ETCD_URL"; else printf 'file:%s' "$WORK/datastore"; fi
}

etcd_is_healthy() {
  in_namespace agent1 env ETCDCTL_API=3 etcdctl --endpoints "$ETCD_URL" endpoint health \
    > "$WORK/health" 2>&1
}

start_etcd() {
  start agent1 "$WORK/etcd.log" etcd --name demo --data-dir "$WORK/etcd" \
    --listen-client-urls "$ETCD_URL" --advertise-client-urls "$ETCD_URL" \
    --listen-peer-urls "$ETCD_PEER" --initial-advertise-peer-urls "$ETCD_PEER" \
    --initial-cluster "demo=$ETCD_PEER"
  wait_for 'etcd answers' etcd_is_healthy
  printf '%s\n' '{"kind": "ClusterInformation", "apiVersion": "projectcalico.org/v3",' \
    ' "metadata": {"name": "default"}, "spec": {"datastoreReady": true}}' | put ready.json
}

# etcd_key FILE: where Calico's clients keep the resource in the file.
etcd_key() {
  local kind name
  kind=$(sed -nE '1s/.*"kind": "([A-Za-z]+)".*/\1/p' "$1")
  name=$(sed -nE 's/.*"metadata": \{"name": "([^"]+)".*/\1/p' "$1")
  case $kind in
    WorkloadEndpoint) printf '%s/workloadendpoints/default/%s' "$KEYS" "$name" ;;
    ClusterInformation | Profile) printf '%s/%ss/%s' "$KEYS" "${kind,,}" "$name" ;;
  esac
}
KEYS=/calico/resources/v3/projectcalico.org

# etcd_put_command FILE: for the shell.
etcd_put_command() {
  printf "ip netns exec %s env ETCDCTL_API=3 etcdctl --endpoints %s put %s < %s > %s" \
    "$PREFIX-agent1" "$ETCD_URL" "$(etcd_key "$1")" "$1" "$WORK/put"
}

# put FILE: what stands on the input takes the place of the file, or of the resource, in one step.
put() {
  cat > "$WORK/staged"
  if [[ $ETCD == yes ]]; then
    bash -c "$(etcd_put_command "$WORK/staged")" || fail "etcd does not take $1"
  else
    mv "$WORK/staged" "$WORK/datastore/$1"
  fi
}

# print_profile NAME SOURCE DESTINATION [LABEL]
print_profile() {
  printf '{"kind": "Profile", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "%s"},\n' "$1"
  printf ' "spec": {%s"ingress": [{"action": "Allow"%s}], "egress": [{"action": "Allow"%s}]}}\n' \
    "${4:+\"labelsToApply\": {\"$4\": \"\"\}, }" "${2:+, \"source\": $2}" \
    "${3:+, \"destination\": $3}"
}

# change_arguments FILE: how the probe is to put what is staged into the file's place.
change_arguments() {
  if [[ $ETCD == yes ]]; then
    CHANGE=(--run "$(etcd_put_command "$WORK/staged")")
  else
    CHANGE=(--rename "$WORK/staged" "$WORK/datastore/$1")
  fi
}

# A task accepts its own agent and may call it; `public` is open to all, a star to its members.
put_profiles() {
  local agent star nets
  print_profile public '' '' | put profile-public.json
  for star in star-1 star-2; do
    print_profile "$star" "{\"selector\": \"has($star)\"}" '' "$star" | put "profile-$star.json"
  done
  for agent in "${AGENTS[@]}"; do
    nets="{\"nets\": [\"${AGENT_ADDRESS[$agent]}/32\"]}"
    print_profile "default_$agent" "$nets" "$nets" | put "profile-$agent.json"
  done
}

print_endpoint() {
  local task=$1 group=$2 agent=${AGENT_OF[$1]} container=task-${1,,}
  cat << END
{"kind": "WorkloadEndpoint", "apiVersion": "projectcalico.org/v3",
 "metadata": {"name": "$agent-cni-${container//-/--}-eth0", "namespace": "default",
  "labels": {"projectcalico.org/namespace": "default", "projectcalico.org/orchestrator": "cni"}},
 "spec": {"orchestrator": "cni", "node": "$agent", "containerID": "$container", "endpoint": "eth0",
  "ipNetworks": ["${ADDRESS[$task]}/32"], "interfaceName": "cali$task",
  "profiles": ["default_$agent", "$group"]}}
END
}

# put_endpoints GROUP_OF_A GROUP_OF_B GROUP_OF_C GROUP_OF_D
put_endpoints() {
  local task
  for task in "${TASKS[@]}"; do
    GROUP[$task]=$1
    print_endpoint "$task" "$1" | put "endpoint-$task.json"
    shift
  done
}
