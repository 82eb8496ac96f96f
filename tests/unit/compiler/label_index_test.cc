// SPDX-License-Identifier: Apache-2.0
#include "compiler/label_index.h"

#include <set>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "tests/support/builders.h"
#include "tests/support/random.h"

namespace felix::compiler {
namespace {

class Recorder : public LabelIndex::Listener {
 public:
  void OnMatch(SelectorId selector, ClassId labels, bool matches) override {
    const auto pair = std::make_pair(selector, labels);
    if (matches) {
      EXPECT_TRUE(current.insert(pair).second) << "a match began twice";
    } else {
      EXPECT_EQ(current.erase(pair), 1U) << "a match ended that had not begun";
    }
  }
  std::set<std::pair<SelectorId, ClassId>> current;
};

TEST(LabelIndex, EvaluatesASelectorOncePerClass) {
  Recorder recorder;
  LabelIndex index(recorder);
  const SelectorId selector = index.AcquireSelector(testing::Select("a == '1'"));
  const ClassId first = index.AcquireClass({{"a", "1"}});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(index.AcquireClass({{"a", "1"}}), first);
  EXPECT_EQ(index.evaluations(), 1U);
  EXPECT_EQ(recorder.current.count({selector, first}), 1U);
}

TEST(LabelIndex, DoesNotTrySelectorsThatAskForOtherLabels) {
  Recorder recorder;
  LabelIndex index(recorder);
  for (int i = 0; i < 1000; ++i) {
    index.AcquireSelector(testing::Select(fmt::format("has(common) && a == '{}'", i)));
  }
  index.AcquireClass({{"common", ""}, {"a", "7"}});
  EXPECT_EQ(index.evaluations(), 1U);
}

TEST(LabelIndex, DoesNotTryClassesThatLackWhatANewSelectorAsksFor) {
  Recorder recorder;
  LabelIndex index(recorder);
  for (int i = 0; i < 1000; ++i) index.AcquireClass({{"a", fmt::format("{}", i)}, {"all", "x"}});
  const SelectorId selector = index.AcquireSelector(testing::Select("a in {'1', '2'}"));
  EXPECT_EQ(index.evaluations(), 2U);
  EXPECT_EQ(index.ClassesOf(selector).size(), 2U);
}

TEST(LabelIndex, AgreesWithTryingEverythingAfterEveryChange) {
  const std::vector<std::string> texts = {
      "all()",
      "global()",
      "a == '1'",
      "a != '1'",
      "has(a)",
      "!has(a)",
      "a in {'1','2'}",
      "a not in {'1','2'}",
      "b contains '2'",
      "a == '1' && b == '2'",
      "a == '1' || b == '2'",
      "!(a == '1')",
      "a == '1' && a == '2'",
      "has(a) && !has(b)",
      "a starts with '1'",
      "has(a) && !has(a)",
  };
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    testing::Random random(seed);
    Recorder recorder;
    LabelIndex index(recorder);
    std::vector<ClassId> classes;
    std::vector<SelectorId> selectors;
    std::map<SelectorId, model::Selector> live_selectors;
    for (int step = 0; step < 300; ++step) {
      switch (random.Next() % 5) {
        case 0:
        case 1: {
          model::LabelSet labels;
          if (random.Next() % 3 > 0) labels.Set("a", fmt::format("{}", random.Next() % 3));
          if (random.Next() % 3 > 0) labels.Set("b", fmt::format("{}", random.Next() % 3));
          classes.push_back(index.AcquireClass(labels));
          break;
        }
        case 2: {
          const auto selector = testing::Select(texts[random.Next() % texts.size()]);
          selectors.push_back(index.AcquireSelector(selector));
          live_selectors.insert_or_assign(selectors.back(), selector);
          break;
        }
        case 3:
          if (!classes.empty()) {
            const std::size_t at = random.Next() % classes.size();
            index.ReleaseClass(classes[at]);
            classes.erase(classes.begin() + static_cast<std::ptrdiff_t>(at));
          }
          break;
        case 4:
          if (!selectors.empty()) {
            const std::size_t at = random.Next() % selectors.size();
            index.ReleaseSelector(selectors[at]);
            selectors.erase(selectors.begin() + static_cast<std::ptrdiff_t>(at));
          }
          break;
      }
      std::set<std::pair<SelectorId, ClassId>> want;
      for (const SelectorId selector : selectors) {
        for (const ClassId labels : classes) {
          if (live_selectors.at(selector).Matches(index.LabelsOf(labels))) {
            want.emplace(selector, labels);
          }
        }
      }
      ASSERT_EQ(recorder.current, want) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace felix::compiler
