#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. tests/setup.sh

usage() {
  cat << 'END'
Usage: ./test.sh [--full [STAGE...]]

Installs what is missing, builds, and runs every test. Kernel tests run in network namespaces of
their own and are never left out: needs root on Debian 12.

  --full   also with clang, under the address and thread sanitizers, with many more random seeds,
           with 1,000 kills of the program, with libFuzzer, and a check of the format of the
           sources; with names of stages those alone, in that order:
           release clang asan tsan seeds kills fuzz format
  --help   this text

Status: 0 all tests passed, 1 not, 2 cannot run here.
END
}

FULL=no
STAGES=()
for argument; do
  case $argument in
    --full) FULL=yes ;;
    release | clang | asan | tsan | seeds | kills | fuzz | format) STAGES+=("$argument") ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done
[[ $FULL == yes || ${#STAGES[@]} -eq 0 ]] || { usage >&2 && exit 2; }
[[ ${#STAGES[@]} -gt 0 ]] || STAGES=(release clang asan tsan seeds kills fuzz format)

LOGS=''
trap '[[ -z $LOGS ]] || rm -rf "$LOGS"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Kernel tests that could not run count as failures.
export CI=1

# Shows the lines of the test runner as they come, but keeps its summary in the file $1.
hold_back_summary() {
  awk -v summary="$1" '/^[0-9]+% tests passed/ { held = 1 }
    held { print > summary; next }
    { print; fflush() }'
}

# print_kernel_tests PRESET LOG: which kernel tests ran; fails if none did.
print_kernel_tests() {
  local preset=$1 log=$2
  ctest --preset "$preset" -L '^kernel$' -N |
    sed -nE 's/^ *Test +#([0-9]+): (.*)$/\1 \2/p' > "$LOGS/kernel"
  awk 'NR == FNR { name[$1] = substr($0, length($1) + 2); next }
    match($0, /Test +#[0-9]+:/) {
      number = substr($0, RSTART, RLENGTH)
      gsub(/[^0-9]/, "", number)
      if ((number in name) && !/\*\*\*(Skipped|Not Run)/) ran[++count] = name[number]
    }
    END {
      printf "\nKernel tests that ran: %d\n", count
      for (i = 1; i <= count; ++i) print "  " ran[i]
      exit count == 0
    }' "$LOGS/kernel" "$log"
}

# run_tests PRESET: all tests. The runner's verdict is the last line.
run_tests() {
  local preset=$1 status=0 log summary
  log=$LOGS/$preset.log
  summary=$LOGS/$preset.summary
  : > "$summary"
  setup_say "running all tests: $preset"
  "${SETUP_RUNNER[@]}" ctest --preset "$preset" --parallel 2 2>&1 | tee "$log" |
    hold_back_summary "$summary" || status=1
  if ! print_kernel_tests "$preset" "$log"; then
    printf 'No kernel test ran.\n'
    status=1
  fi
  if grep -qE '\*\*\*(Skipped|Not Run)|did not run:' "$log"; then
    printf 'Tests were skipped, and none may be.\n'
    status=1
  fi
  printf '\n'
  sed 1d "$summary"
  sed -n 1p "$summary"
  return "$status"
}

stage_release() { setup_build release && run_tests release; }
stage_clang() { setup_build clang && run_tests clang; }
stage_asan() { setup_build asan && run_tests asan; }

# The thread sanitizer cannot live with much randomness of addresses; tests run while building too.
stage_tsan() {
  local -a SETUP_RUNNER=(setarch "$(uname -m)" --addr-no-randomize)
  setup_build tsan && run_tests tsan
}

# Straight from the binaries: the time limits of the test runner are made for few seeds. Fresh ones
# each time; the output names them, so that a failure can be repeated.
stage_seeds() {
  local factor=${FELIX_TEST_SEED_FACTOR:-20} first=${FELIX_TEST_FIRST_SEED:-$(date +%s)}
  local status=0 binary
  local -a binaries
  mapfile -t binaries < <(find build/release/tests/property build/release/tests/kernel/verdicts \
    -maxdepth 1 -type f -executable | sort)
  setup_say "FELIX_TEST_FIRST_SEED=$first FELIX_TEST_SEED_FACTOR=$factor: ${#binaries[@]} binaries"
  [[ ${#binaries[@]} -gt 0 ]] || return 1
  for binary in "${binaries[@]}"; do
    printf '%s\n' "${binary##*/}"
    FELIX_TEST_FIRST_SEED=$first FELIX_TEST_SEED_FACTOR=$factor "$binary" || status=1
  done
  return "$status"
}

# As many in each layout of the rules, at random moments of an apply, with traffic meanwhile.
stage_kills() {
  local kills=${FELIX_TEST_KILLS:-500}
  setup_build release || return 1
  setup_say "$kills kills in each layout"
  FELIX_TEST_KILLS=$kills build/release/tests/kernel/felix/felix_program_kernel_test \
    --gtest_filter='*ConvergesAfterBeingKilled*'
}

# One target at a time, from its corpus; what it finds on the way is thrown away, a crash is kept.
stage_fuzz() {
  local seconds=${FELIX_FUZZ_SECONDS:-30} status=0 target found
  setup_build fuzz || return 1
  mkdir -p build/fuzz/crashes
  for target in selector key resource; do
    setup_say "fuzzing for $seconds s: $target"
    found=$(mktemp -d "$LOGS/fuzz.XXXXXX")
    "build/fuzz/tests/fuzz/${target}_fuzz" -max_total_time="$seconds" -timeout=10 \
      -max_len=4096 -verbosity=0 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/crashes/$target-" \
      "$found" "tests/fuzz/corpus/$target" 2>&1 || status=1
  done
  return "$status"
}

stage_format() {
  local -a files
  mapfile -t files < <(find felix model compiler iptables ipset datastore bench tests \
    \( -name '*.h' -o -name '*.cc' \) -print | sort)
  setup_say "format of ${#files[@]} files"
  clang-format --dry-run --Werror "${files[@]}" &&
    printf 'All of %d files are formatted.\n' "${#files[@]}"
}

# One failure does not hide what the other stages find.
run_all_stages() {
  local stage verdict failed=0 started table=''
  for stage in "${STAGES[@]}"; do
    printf '\n==== stage %s\n' "$stage"
    started=$SECONDS
    verdict=passed
    if ! "stage_$stage"; then
      verdict=FAILED
      failed=1
    fi
    table+=$(printf '%-8s %-6s %5d s' "$stage" "$verdict" "$((SECONDS - started))")$'\n'
  done
  printf '\n%-8s %-6s %7s\n%s' stage result time "$table"
  return "$failed"
}

setup_require_root
setup_require_debian
if [[ $FULL == yes ]]; then
  setup_install "${FELIX_BUILD_PACKAGES[@]}" "${FELIX_FULL_PACKAGES[@]}"
else
  setup_install "${FELIX_BUILD_PACKAGES[@]}"
fi
LOGS=$(mktemp -d "${TMPDIR:-/tmp}/felix-test.XXXXXX")
if [[ $FULL == yes ]]; then
  run_all_stages
else
  stage_release
fi
