#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. tests/setup.sh
. tests/demo/network.sh
. tests/demo/resources.sh

usage() {
  cat << 'END'
Usage: ./demo.sh [--etcd] [--no-build]

Two agents and four probe tasks, all on this machine, each in a network namespace of its own: A and
B on agent1, C and D on agent2. Every probe listens on port 9000 and everyone tries to reach all.
Shows who reaches whom while all are in the group `public`, when they are parted into `star-1` and
`star-2`, and how fast a task that is moved to another group is let in and shut out.

  --etcd       both agents on one etcd instead of one directory of files
  --no-build   install and build nothing; take the binaries of the release build as they are
  --help       this text

Needs root on Debian 12. Leaves nothing behind, and the machine's own network alone.
Status: 0 all as it must be, 1 not, 2 cannot run here.
END
}

BUILD=yes
ETCD=no
for argument; do
  case $argument in
    --etcd) ETCD=yes ;;
    --no-build) BUILD=no ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

FELIX_BIN=${FELIX_BIN:-build/release/felix/felix}
FELIX_PROBE=${FELIX_PROBE:-build/release/tests/demo/felix-probe}

WAIT_MS=10000
CHANGE_NAME='the rename'
if [[ $ETCD == yes ]]; then CHANGE_NAME='etcdctl was called'; fi
declare -A GROUP=() VERDICT=() AGENT_PID=()

WORK=''
STEP=0
CELLS=0
MATRICES=0
MOVE_BEGUN=0

# ---- What it says

GOOD='' BAD='' DIM='' PLAIN='' YES=yes NO=no
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  GOOD=$'\e[32m' BAD=$'\e[31m' DIM=$'\e[2m' PLAIN=$'\e[0m'
fi
if [[ $(locale charmap 2> /dev/null) == UTF-8 ]]; then
  YES='✓' NO='✗'
fi

step() {
  STEP=$((STEP + 1))
  printf '\n%d. %s\n' "$STEP" "$*"
}

note() { printf '   %s\n' "$*"; }

# fail WHAT...: with the last words of the agents, since their logs are about to go.
fail() {
  local agent
  printf '\n%sdemo: %s%s\n' "$BAD" "$*" "$PLAIN" >&2
  for agent in "${AGENTS[@]}"; do
    [[ -s $WORK/$agent.log ]] || continue
    printf '\nlast lines of the log of %s:\n' "$agent" >&2
    tail -n 15 "$WORK/$agent.log" >&2
  done
  exit 1
}

# ---- What it starts

microseconds_now() { printf '%s' "${EPOCHREALTIME/[.,]/}"; }

# wait_for WHAT COMMAND...: until the command succeeds, for ten seconds at most.
wait_for() {
  local what=$1 deadline=$(($(microseconds_now) + WAIT_MS * 1000))
  shift
  until "$@"; do
    (($(microseconds_now) < deadline)) || fail "waited $((WAIT_MS / 1000)) s in vain until $what"
    require_agents
    sleep 0.02
  done
}

require_agents() {
  local agent
  for agent in "${!AGENT_PID[@]}"; do
    kill -0 "${AGENT_PID[$agent]}" 2> /dev/null || fail "felix of $agent has ended"
  done
}

start_probe() {
  start "$1" "$WORK/$1.log" "$FELIX_PROBE" serve --name "$1" --port "$PORT"
  wait_for "probe $1 listens" grep -q 'listens on port' "$WORK/$1.log"
}

start_agent() {
  # Without the settings that may stand in the environment of whoever runs this.
  start "$1" "$WORK/$1.log" env -i PATH="$PATH" XTABLES_LOCKFILE="$WORK/$1.lock" "$FELIX_BIN" \
    --datastore "$(datastore_address)" --hostname "$1" --log-level info
  AGENT_PID[$1]=$!
}

# ---- Who reaches whom

# must_reach FROM TO: what the groups demand.
must_reach() {
  [[ $1 == "$2" || ${GROUP[$2]} == public || ${AGENT_OF[$2]} == "$1" ]] ||
    [[ ${GROUP[$1]:-none} == "${GROUP[$2]}" ]]
}

# Fills VERDICT with what became of one connection from everyone to every task.
measure() {
  local name from to verdict
  local -a arguments=()
  for name in "${TASKS[@]}" "${AGENTS[@]}"; do arguments+=(--from "$name=$PREFIX-$name"); done
  for name in "${TASKS[@]}"; do arguments+=(--to "$name=${ADDRESS[$name]}:$PORT"); done
  run "$FELIX_PROBE" matrix "${arguments[@]}" > "$WORK/matrix" ||
    fail 'the matrix cannot be measured'
  while read -r from to verdict; do
    VERDICT[$from,$to]=$verdict
  done < "$WORK/matrix"
}

# first_wrong_cell [VERDICT]: says which cell, if any, is not as the groups demand. With a verdict,
# only cells with that verdict count.
first_wrong_cell() {
  local from to verdict wanted
  for from in "${TASKS[@]}" "${AGENTS[@]}"; do
    for to in "${TASKS[@]}"; do
      verdict=${VERDICT[$from,$to]:-unmeasured}
      wanted=blocked
      if must_reach "$from" "$to"; then wanted=reached; fi
      if [[ $verdict != "$wanted" && ${1:-$verdict} == "$verdict" ]]; then
        printf '%s to %s is %s and must be %s' "$from" "$to" "$verdict" "$wanted"
        return
      fi
    done
  done
}

# Gives the agents ten seconds to get there. Whether they did is for check_matrix to say.
await_matrix() {
  local deadline=$((SECONDS + WAIT_MS / 1000))
  while measure && [[ -n $(first_wrong_cell) ]] && ((SECONDS < deadline)); do
    require_agents
    sleep 0.02
  done
}

print_matrix() {
  local from to mark colour
  printf '\n   %-8s' from
  for to in "${TASKS[@]}"; do printf '  to %s' "$to"; done
  printf '   group\n'
  for from in "${TASKS[@]}" "${AGENTS[@]}"; do
    printf '   %-8s' "$from"
    for to in "${TASKS[@]}"; do
      case ${VERDICT[$from,$to]} in
        reached) mark=$YES colour=$GOOD ;;
        blocked) mark=$NO colour=$BAD ;;
        *) mark=${VERDICT[$from,$to]} colour=$BAD ;;
      esac
      printf '  %s%s%s%*s' "$colour" "$mark" "$PLAIN" $((4 - ${#mark})) ''
    done
    printf '   %s%s%s\n' "$DIM" "${GROUP[$from]:-(the agent of ${TASKS_OF[$from]})}" "$PLAIN"
  done
  printf '\n'
}

# Measures, shows and judges. One lost packet is no policy: a connection that should have been
# answered and was not is tried once more. One that was answered stays answered.
check_matrix() {
  local wrong cell retried=''
  local -A first=()
  measure
  if [[ -n $(first_wrong_cell blocked) ]]; then
    retried=' (some after a second try)'
    for cell in "${!VERDICT[@]}"; do first[$cell]=${VERDICT[$cell]}; done
    measure
    for cell in "${!VERDICT[@]}"; do
      [[ ${first[$cell]} == blocked ]] || VERDICT[$cell]=${first[$cell]}
    done
  fi
  print_matrix
  wrong=$(first_wrong_cell)
  [[ -z $wrong ]] || fail "wrong cell, $1: $wrong"
  CELLS=$((CELLS + ${#VERDICT[@]}))
  MATRICES=$((MATRICES + 1))
  note "all ${#VERDICT[@]} cells are as they must be$retried"
}

# ---- A task moves to another group, amid traffic

milliseconds() { printf '%d.%03d ms' $(($1 / 1000)) $(($1 % 1000)); }

count_applied() { grep -c applied "$WORK/$1.log" || true; }

has_applied_more_than() { (($(count_applied "$1") > $2)); }

# own_figure AGENT COUNT: what the agent says of the first apply after COUNT earlier ones.
own_figure() {
  grep applied "$WORK/$1.log" | sed -n "$(($2 + 1))p" | sed -nE 's/.*total_us=([0-9]+).*/\1/p'
}

# move_task TASK GROUP FLOW...: puts a new version of the endpoint into its place while
# connections are opened on all flows; each is FROM,TO,WANTED. Fills REPORT.
declare -A REPORT=()
move_task() {
  local task=$1 group=$2 flow from to wanted name outcome figures status=0
  local -a arguments=() CHANGE=()
  shift 2
  for flow; do
    IFS=, read -r from to wanted <<< "$flow"
    arguments+=(--flow "$from>$to,$PREFIX-$from,${ADDRESS[$to]}:$PORT,$wanted")
  done
  print_endpoint "$task" "$group" > "$WORK/staged"
  GROUP[$task]=$group
  change_arguments "endpoint-$task.json"
  run "$FELIX_PROBE" watch "${arguments[@]}" --timeout-ms "$WAIT_MS" "${CHANGE[@]}" \
    > "$WORK/watch" || status=$?
  while read -r name outcome figures; do
    REPORT[$name]=$figures
    [[ $outcome == ok ]] || fail "during the move, ${name/>/ to } is not as it must be: $figures"
  done < "$WORK/watch"
  [[ $status -eq 0 ]] || fail 'the move cannot be watched'
}

# figure FLOW NAME: one number of the report on a flow.
figure() {
  local text=" ${REPORT[$1]} "
  text=${text#* "$2"=}
  printf '%s' "${text%% *}"
}

# print_change FLOW WHAT FIGURE AGENT COUNT
print_change() {
  local own
  own=$(own_figure "$4" "$5")
  [[ -n $own ]] || fail "felix of $4 does not say how long it took"
  ((own < $(microseconds_now) - MOVE_BEGUN)) ||
    fail "felix of $4 says that it took $(milliseconds "$own"), longer than since the move began"
  note "$(printf '%-22s %12s after %s; %s itself says %s' \
    "${1/>/ to } is $2" "$(milliseconds "$(figure "$1" "$3")")" "$CHANGE_NAME" "$4" \
    "$(milliseconds "$own")")"
}

show_move() {
  local agent
  local -A applied=()
  MOVE_BEGUN=$(microseconds_now)
  for agent in "${AGENTS[@]}"; do applied[$agent]=$(count_applied "$agent"); done
  move_task D star-1 A,D,becomes-reached D,A,becomes-reached C,D,becomes-blocked \
    A,B,stays-reached C,A,stays-blocked
  for agent in "${AGENTS[@]}"; do
    wait_for "felix of $agent has applied the move" \
      has_applied_more_than "$agent" "${applied[$agent]}"
  done
  print_change 'A>D' 'let in' done_us agent2 "${applied[agent2]}"
  print_change 'D>A' 'let in' done_us agent1 "${applied[agent1]}"
  print_change 'C>D' 'shut out' start_us agent2 "${applied[agent2]}"
  note "A to B: $(figure 'A>B' attempts) connections meanwhile, none lost"
  note "C to A: $(figure 'C>A' attempts) connections meanwhile, none let in"
}

# ---- The demonstration

stop_agents() {
  local agent pid status
  for agent in "${AGENTS[@]}"; do
    pid=${AGENT_PID[$agent]}
    unset "AGENT_PID[$agent]"
    status=0
    kill -TERM "$pid"
    wait "$pid" || status=$?
    [[ $status -eq 0 ]] || fail "felix of $agent ended with status $status"
  done
}

prepare() {
  setup_require_root
  if [[ $BUILD == yes ]]; then
    setup_require_debian
    setup_install "${FELIX_BUILD_PACKAGES[@]}"
    setup_build release felix/felix tests/demo/felix-probe
  fi
  local needed
  local -a tools=(ip sysctl)
  if [[ $ETCD == yes ]]; then tools+=(etcd etcdctl); fi
  for needed in "$FELIX_BIN" "$FELIX_PROBE" "${tools[@]}"; do
    command -v "$needed" > /dev/null || setup_cannot_run "there is no $needed; build it first"
  done
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/$PREFIX.XXXXXX")
  mkdir "$WORK/datastore"
}

main() {
  local name wrong slowest=0
  prepare

  step 'A network: agent1 with A and B, agent2 with C and D'
  make_agents
  for name in "${TASKS[@]}"; do make_container "$name"; done
  for name in "${TASKS[@]}"; do note "$name is ${ADDRESS[$name]} on ${AGENT_OF[$name]}"; done

  step "Four probes, all on port $PORT: each has an address of its own"
  for name in "${TASKS[@]}"; do start_probe "$name"; done
  for name in "${TASKS[@]}"; do GROUP[$name]=public; done
  await_matrix
  wrong=$(first_wrong_cell)
  [[ -z $wrong ]] || fail "wrong cell, before there is any agent: $wrong"
  note 'all four run, and everyone reaches all of them, as no agent is there yet'

  if [[ $ETCD == yes ]]; then
    step "One etcd for both agents, at $ETCD_URL"
    start_etcd
    note 'etcd answers, and says that it is ready to be used'
  fi

  step 'Everyone in the group public'
  put_profiles
  put_endpoints public public public public
  for name in "${AGENTS[@]}"; do start_agent "$name"; done
  for name in "${AGENTS[@]}"; do
    wait_for "felix of $name has applied" has_applied_more_than "$name" 0
  done
  await_matrix
  check_matrix 'all in public'

  step 'A and B in star-1, C and D in star-2'
  put_endpoints star-1 star-1 star-2 star-2
  await_matrix
  check_matrix 'two stars'

  step 'D moves to star-1, amid traffic'
  show_move
  check_matrix 'D moved to star-1'

  step 'The agents stop; what they wrote stays in force'
  stop_agents
  check_matrix 'agents stopped'

  for name in 'A>D done_us' 'D>A done_us' 'C>D start_us'; do
    # shellcheck disable=SC2086 # two words: a flow and a figure
    name=$(figure $name)
    ((name <= slowest)) || slowest=$name
  done
  printf '\n%sThe demo passed.%s %d cells in %d matrices; the move was in force everywhere %s\n' \
    "$GOOD" "$PLAIN" "$CELLS" "$MATRICES" "$(milliseconds "$slowest") after $CHANGE_NAME."
}

main
