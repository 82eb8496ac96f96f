// SPDX-License-Identifier: Apache-2.0
// What felix-replay says of a flow is what the emitted rules do with it, and what the oracle says.
#include "felix/replay/judge.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "felix/replay/ends.h"
#include "felix/replay/lint.h"
#include "felix/replay/matrix.h"
#include "tests/reference/oracle.h"
#include "tests/support/builders.h"
#include "tests/support/interpreter.h"
#include "tests/support/packet.h"
#include "tests/support/random_cluster.h"
#include "tests/support/seeds.h"

namespace felix::testing {
namespace {

using replay::Flow;
using replay::FlowEnds;
using replay::Judge;
using replay::Workload;

constexpr const char* kUplink = "eth0";

std::vector<Flow> Flows() {
  return {{model::kTcp, 40000, 80, 0, 0},   {model::kTcp, 80, 8080, 0, 0},
          {model::kUdp, 53, 53, 0, 0},      {model::kUdp, 40000, 4789, 0, 0},
          {model::kSctp, 1, 443, 0, 0},     {model::kIcmp, 0, 0, 8, 0},
          {model::kIcmpV6, 0, 0, 128, 0},   {model::Protocol{4}, 0, 0, 0, 0},
          {model::Protocol{47}, 0, 0, 0, 0}};
}

template <typename Body>
void ForEachSeed(std::uint64_t usual, const Body& body) {
  for (std::uint64_t i = 0; i < SeedCount(usual); ++i) {
    SCOPED_TRACE(fmt::format("seed {}", FirstSeed() + i));
    body(FirstSeed() + i);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// Host endpoints on the way are not the judge's business, so the cluster has none.
model::Store WithoutHostEndpoints(const model::Store& store) {
  model::Store kept;
  store.ForEach([&](const model::Update& update) {
    if (!std::holds_alternative<model::HostEndpointId>(update.key)) kept.Set(update);
  });
  return kept;
}

class JudgeTest : public ::testing::Test {
 protected:
  void Enter(model::Store store, const compiler::Options& options) {
    options_ = options;
    graph_.emplace(options);
    graph_->OnUpdates(store.Snapshot());
    static_cast<void>(graph_->Flush());
    judge_.emplace(std::move(store), [options](const std::string& host) {
      compiler::Options own = options;
      own.hostname = host;
      return own;
    });
  }

  static bool IsHere(const Workload& workload) { return workload.id.host == kThisHost; }

  // What this host's rules and the oracle say; nothing if the flow does not come by here.
  void Compare(const Workload& from, const Workload& to, const Flow& flow,
               const reference::ClusterView& view) {
    const auto ends = replay::Join(judge_->book(), {&from, {}}, {&to, {}});
    if (!ends || (!IsHere(from) && !IsHere(to))) return;
    // Two that claim one interface cannot both be met there.
    if (IsHere(from) && !from.out_of_force.empty()) return;
    if (IsHere(to) && !to.out_of_force.empty()) return;
    bool allowed = true;
    if (IsHere(from)) allowed = judge_->AskEgress(*ends, flow, nullptr).allowed;
    if (IsHere(to)) allowed = allowed && judge_->AskIngress(*ends, flow, nullptr).allowed;
    Packet packet;
    packet.source = ends->source.address;
    packet.destination = ends->destination.address;
    packet.protocol = flow.protocol;
    packet.source_port = flow.source_port;
    packet.destination_port = flow.destination_port;
    packet.icmp_type = flow.icmp_type;
    packet.icmp_code = flow.icmp_code;
    packet.in_interface = IsHere(from) ? from.endpoint.interface_name : kUplink;
    packet.out_interface = IsHere(to) ? to.endpoint.interface_name : kUplink;
    const reference::Judgement want = reference::Explain(view, options_, packet);
    const bool rules_allow = Interpret(graph_->desired(), packet).verdict != Verdict::kDeny;
    ++(allowed ? allowed_ : denied_);
    ASSERT_EQ(allowed, want.verdict != Verdict::kDeny) << packet << ": " << want.reason;
    ASSERT_EQ(allowed, rules_allow) << packet;
  }

  compiler::Options options_;
  std::optional<compiler::Graph> graph_;
  std::optional<Judge> judge_;
  int allowed_ = 0;
  int denied_ = 0;
};

TEST_F(JudgeTest, AgreesWithTheRulesAndTheOracleForEveryPair) {
  ForEachSeed(40, [&](std::uint64_t seed) {
    RandomCluster cluster(seed);
    for (int step = 0; step < 3; ++step) {
      for (int i = 0; i < 12; ++i) cluster.Mutate();
      Enter(WithoutHostEndpoints(cluster.store()), RandomOptions(seed));
      const reference::ClusterView view(judge_->store(), options_);
      for (const Workload& from : judge_->book().workloads()) {
        for (const Workload& to : judge_->book().workloads()) {
          for (const Flow& flow : Flows()) {
            Compare(from, to, flow, view);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  });
  EXPECT_GT(allowed_, 1000);
  EXPECT_GT(denied_, 1000);
}

TEST_F(JudgeTest, TheMatrixSaysOfEveryPairWhatTheJudgeSays) {
  std::size_t yes = 0;
  ForEachSeed(40, [&](std::uint64_t seed) {
    RandomCluster cluster(seed);
    for (int i = 0; i < 30; ++i) cluster.Mutate();
    Enter(WithoutHostEndpoints(cluster.store()), RandomOptions(seed));
    for (const Flow& flow : Flows()) {
      const auto workloads = replay::SelectWorkloads(judge_->book(), "");
      ASSERT_TRUE(workloads.ok());
      const replay::Matrix matrix(*judge_, *workloads, flow);
      yes += matrix.Count(replay::Reach::kYes);
      for (std::size_t from = 0; from < workloads->size(); ++from) {
        for (std::size_t to = 0; to < workloads->size(); ++to) {
          const auto ends =
              replay::Join(judge_->book(), {(*workloads)[from], {}}, {(*workloads)[to], {}});
          const replay::Reach want = !ends ? replay::Reach::kNone
                                     : judge_->AskEgress(*ends, flow, nullptr).allowed &&
                                             judge_->AskIngress(*ends, flow, nullptr).allowed
                                         ? replay::Reach::kYes
                                         : replay::Reach::kNo;
          ASSERT_EQ(matrix.At(from, to), want) << "seed " << seed;
        }
      }
    }
  });
  EXPECT_GT(yes, 1000U);
}

TEST_F(JudgeTest, NotesTellTheSameAsTheDecision) {
  ForEachSeed(20, [&](std::uint64_t seed) {
    RandomCluster cluster(seed);
    for (int i = 0; i < 30; ++i) cluster.Mutate();
    Enter(WithoutHostEndpoints(cluster.store()), RandomOptions(seed));
    for (const Workload& from : judge_->book().workloads()) {
      for (const Workload& to : judge_->book().workloads()) {
        const auto ends = replay::Join(judge_->book(), {&from, {}}, {&to, {}});
        if (!ends) continue;
        std::vector<replay::PolicyNote> notes;
        const replay::SideDecision with = judge_->AskIngress(*ends, Flows()[0], &notes);
        const replay::SideDecision without = judge_->AskIngress(*ends, Flows()[0], nullptr);
        ASSERT_EQ(with.reason, without.reason);
        ASSERT_EQ(with.decided_by, without.decided_by);
        if (!with.decided_by) continue;
        ASSERT_FALSE(notes.empty());
        EXPECT_EQ(notes.back().owner, with.decided_by->owner);
        EXPECT_EQ(notes.back().rules.back().index, with.decided_by->rule_index);
        EXPECT_TRUE(notes.back().rules.back().matches);
        for (const replay::RuleNote& note : notes.back().rules) {
          EXPECT_EQ(note.why_not.empty(), note.matches) << note.rule;
        }
      }
    }
  });
}

// Rules of a random cluster, two of the same list at a time.
void ForEachPairOfRules(
    const model::Store& store,
    const std::function<void(const model::PolicyRule&, const model::PolicyRule&)>& visit) {
  std::vector<model::PolicyRule> rules;
  for (const auto& [id, policy] : store.policies()) {
    rules.insert(rules.end(), policy.ingress.begin(), policy.ingress.end());
    rules.insert(rules.end(), policy.egress.begin(), policy.egress.end());
  }
  for (const model::PolicyRule& a : rules) {
    for (const model::PolicyRule& b : rules) visit(a, b);
  }
}

TEST_F(JudgeTest, RulesThatLintCallsShadowedMatchNothingThatTheEarlierOneLeaves) {
  int shadowed = 0;
  int never = 0;
  ForEachSeed(30, [&](std::uint64_t seed) {
    RandomCluster cluster(seed);
    for (int i = 0; i < 20; ++i) cluster.Mutate();
    Enter(WithoutHostEndpoints(cluster.store()), RandomOptions(seed));
    std::vector<FlowEnds> pairs;
    for (const Workload& from : judge_->book().workloads()) {
      for (const Workload& to : judge_->book().workloads()) {
        if (auto ends = replay::Join(judge_->book(), {&from, {}}, {&to, {}})) {
          pairs.push_back(*std::move(ends));
        }
      }
    }
    const auto matches = [&](const model::PolicyRule& rule, const FlowEnds& ends,
                             const Flow& flow) {
      return replay::RuleMatches(judge_->book(), options_, rule, flow, ends.source,
                                 ends.destination, nullptr);
    };
    ForEachPairOfRules(judge_->store(), [&](const model::PolicyRule& a,
                                            const model::PolicyRule& b) {
      const bool takes = replay::TakesAllOf(a, b);
      const bool impossible = &a == &b && !replay::WhyNever(a).empty();
      if (!takes && !impossible) return;
      shadowed += takes && &a != &b ? 1 : 0;
      never += impossible ? 1 : 0;
      for (const FlowEnds& ends : pairs) {
        for (const Flow& flow : Flows()) {
          if (!matches(b, ends, flow)) continue;
          ASSERT_TRUE(matches(a, ends, flow)) << replay::Summary(a) << "\n" << replay::Summary(b);
          ASSERT_FALSE(impossible) << replay::Summary(a);
        }
      }
    });
  });
  EXPECT_GT(shadowed, 100);
  EXPECT_GT(never, 10);
}

}  // namespace
}  // namespace felix::testing
