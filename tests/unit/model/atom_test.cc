// SPDX-License-Identifier: Apache-2.0
#include "model/atom.h"

#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "model/labels.h"
#include "model/selector.h"

namespace felix::model {
namespace {

TEST(Atoms, EqualTextsHaveOneNumber) {
  const AtomId ids[3] = {atoms::Acquire("atoms-test-a"), atoms::Acquire("atoms-test-b"),
                         atoms::Acquire("atoms-test-a")};
  EXPECT_EQ(ids[0], ids[2]);
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_EQ(atoms::TextOf(ids[1]), "atoms-test-b");
  atoms::Release(ids);
}

TEST(Atoms, ATextGoesWithItsLastReference) {
  const AtomId ids[2] = {atoms::Acquire("atoms-test-gone"), atoms::Acquire("atoms-test-gone")};
  atoms::Release({ids, 1});
  EXPECT_EQ(atoms::Find("atoms-test-gone"), ids[0]);
  atoms::Release({ids, 1});
  EXPECT_EQ(atoms::Find("atoms-test-gone"), 0U);
}

TEST(Atoms, TheEmptyTextIsAText) {
  const AtomId id = atoms::Acquire("");
  EXPECT_NE(id, 0U);
  EXPECT_EQ(atoms::TextOf(id), "");
  atoms::Release({&id, 1});
}

TEST(Atoms, LabelsAndSelectorsGiveBackWhatTheyHeld) {
  const std::size_t before = atoms::Count();
  {
    LabelSet labels = {{"atoms-test-k", "1"}, {"atoms-test-l", "2"}};
    const LabelSet again = {{"atoms-test-l", "2"}, {"atoms-test-k", "1"}};
    EXPECT_EQ(labels.atoms().data(), again.atoms().data()) << "equal sets share one row";
    labels.Inherit({{"atoms-test-m", "3"}});
    labels.Set("atoms-test-k", "4");
    labels.Erase("atoms-test-l");
    const auto selector = Selector::Parse(
        "atoms-test-k in {'4', '5'} && !(has(atoms-test-n) || atoms-test-o contains '6')");
    ASSERT_TRUE(selector.ok());
    const Selector prefixed = selector->WithLabelPrefix("p.");
    EXPECT_TRUE(selector->Matches(labels));
    EXPECT_GT(atoms::Count(), before);
  }
  EXPECT_EQ(atoms::Count(), before);
}

TEST(Atoms, ServeSeveralThreads) {
  const std::size_t before = atoms::Count();
  std::vector<std::thread> threads;
  std::vector<std::string> faults(4);
  for (std::size_t t = 0; t < faults.size(); ++t) {
    threads.emplace_back([&fault = faults[t]] {
      for (int i = 0; i < 5000; ++i) {
        const std::string value = fmt::format("atoms-test-{}", i % 17);
        const LabelSet labels = {{"atoms-test-key", value}, {"atoms-test-x", "y"}};
        const LabelSet copy = labels;
        if (copy.Get("atoms-test-key") != value) fault = "a label has another text: " + value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& fault : faults) EXPECT_EQ(fault, "");
  EXPECT_EQ(atoms::Count(), before);
}

}  // namespace
}  // namespace felix::model
