# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034,SC2004
# The datastore of the demonstration: one directory of resources, $WORK/datastore, that both agents
# read. Sourced by demo.sh after network.sh; GROUP is demo.sh's note of who is in which group.

# put FILE: what stands on the input takes the place of the file in one step.
put() {
  cat > "$WORK/staged"
  mv "$WORK/staged" "$WORK/datastore/$1"
}

# print_profile NAME SOURCE DESTINATION [LABEL]
print_profile() {
  printf '{"kind": "Profile", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "%s"},\n' "$1"
  printf ' "spec": {%s"ingress": [{"action": "Allow"%s}], "egress": [{"action": "Allow"%s}]}}\n' \
    "${4:+\"labelsToApply\": {\"$4\": \"\"\}, }" "${2:+, \"source\": $2}" \
    "${3:+, \"destination\": $3}"
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
