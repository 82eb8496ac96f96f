// SPDX-License-Identifier: Apache-2.0
#include "iptables/table_blob.h"

#include <gtest/gtest.h>
#include <linux/netfilter.h>

#include <array>
#include <cstring>
#include <map>
#include <optional>

#include "iptables/blob_edit.h"
#include "iptables/blob_entry.h"
#include "iptables/entry_bytes.h"
#include "iptables/entry_header.h"
#include "tests/support/fake_kernel_table.h"
#include "tests/support/random.h"
#include "tests/support/seeds.h"
#include "tests/unit/iptables/encoded_rules.h"

namespace felix::iptables {
namespace {

using model::IpFamily;
using testing::Random;

std::string Entry(std::string_view target, std::string_view data) {
  const std::size_t header = EntryHeaderSize(IpFamily::kV4);
  std::string entry(header, '\0');
  AppendExtension(target, 0, data, entry);
  SetEntryOffsets(entry, header, IpFamily::kV4);
  return entry;
}

// The filter table of a fresh network namespace, as the kernel gives it.
TableBlob EmptyBlob() {
  TableOutline outline{.hooks = (1U << NF_INET_LOCAL_IN) | (1U << NF_INET_FORWARD) |
                                (1U << NF_INET_LOCAL_OUT)};
  std::string buffer(TableBlob::kRoom, '\0');
  const std::int64_t accept = static_cast<std::uint32_t>(-NF_ACCEPT - 1);
  for (const int hook : {NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT}) {
    const auto at = static_cast<std::uint32_t>(buffer.size() - TableBlob::kRoom);
    outline.chain_starts.at(static_cast<std::size_t>(hook)) = at;
    outline.chain_ends.at(static_cast<std::size_t>(hook)) = at;
    buffer += Entry("", AsBytes(accept));
  }
  std::string name = "ERROR";
  name.resize(32, '\0');
  buffer += Entry("ERROR", name);
  outline.bytes = static_cast<std::uint32_t>(buffer.size() - TableBlob::kRoom);
  outline.entries = 4;
  absl::StatusOr<TableBlob> blob = ParseBlob(IpFamily::kV4, outline, std::move(buffer));
  FELIX_CHECK(blob.ok(), "the empty table does not parse");
  return *std::move(blob);
}

TEST(TableBlobTest, ShowsTheEmptyTable) {
  const auto content = ContentOf(EmptyBlob());
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(testing::Dump(*content), ":INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n");
}

constexpr std::array<const char*, 6> kNames = {"cali-a", "cali-b",  "cali-c",
                                               "DOCKER", "cali-zz", "INPUT"};

Operation RandomOperation(Random& random) {
  const std::string chain = random.Pick(kNames);
  const std::size_t position = random.Below(4);
  EncodedRule rule = testing::Numbered(static_cast<std::uint32_t>(random.Below(9)));
  if (random.Chance(40)) rule = testing::JumpTo(random.Pick(kNames));
  // A rule that only counts, as others have them.
  if (random.Chance(10)) rule = *Normalise(Entry("", std::string(8, '\0')), "", IpFamily::kV4);
  switch (random.Below(10)) {
    case 0:
    case 1:
      return CreateChain{chain};
    case 2:
      return FlushChain{chain};
    case 3:
      return DeleteChain{chain};
    case 4:
    case 5:
      return DeleteRule{chain, position};
    case 6:
      return ReplaceRule{chain, position, rule};
    default:
      return InsertRule{chain, position, rule};
  }
}

void ExpectSame(const TableContent& got, const TableContent& expected) {
  ASSERT_EQ(testing::Dump(got), testing::Dump(expected));
  for (std::size_t i = 0; i < got.chains.size(); ++i) {
    EXPECT_EQ(got.chains[i].is_builtin, expected.chains[i].is_builtin);
    for (std::size_t r = 0; r < got.chains[i].rules.size(); ++r) {
      EXPECT_EQ(got.chains[i].rules[r].rule, expected.chains[i].rules[r].rule);
    }
  }
}

std::uint32_t NumberOfFirstRule(const BlobChain& chain) {
  return chain.first_entry + (chain.is_builtin ? 0 : 1);
}

// Rules of the model get the numbers of their entries as counters.
void NumberRules(const TableBlob& blob, TableContent& model) {
  for (KernelChain& chain : model.chains) {
    std::uint32_t number = NumberOfFirstRule(*blob.Find(chain.name));
    for (KernelRule& rule : chain.rules) rule.counters.packets = ++number;
  }
}

// Whoever is kept has in the model the number that he had before.
void ExpectKept(const EditedBlob& edited, const TableContent& model) {
  std::map<std::uint32_t, std::uint64_t> before;
  for (const KeptEntries& run : edited.kept) {
    for (std::uint32_t i = 0; i < run.count; ++i) before[run.to + i] = run.from + i + 1;
  }
  for (const KernelChain& chain : model.chains) {
    std::uint32_t number = NumberOfFirstRule(*edited.blob.Find(chain.name));
    for (const KernelRule& rule : chain.rules) {
      const auto kept = before.find(number++);
      EXPECT_EQ(kept == before.end() ? 0 : kept->second, rule.counters.packets) << chain.name;
    }
  }
}

TEST(TableBlobProperty, AnEditDoesWhatTheOperationsSay) {
  int refused = 0;
  for (std::uint64_t seed = testing::FirstSeed();
       seed < testing::FirstSeed() + testing::SeedCount(150); ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    TableBlob blob = EmptyBlob();
    TableContent model = testing::EmptyTable(ir::Table::kFilter);
    std::string spare;
    for (int step = 0; step < 12; ++step) {
      NumberRules(blob, model);
      Transaction transaction;
      for (std::size_t n = random.Below(12); n > 0; --n) {
        Operation operation = RandomOperation(random);
        TableContent next = model;
        if (!testing::Execute(operation, next).ok()) {
          if (!transaction.empty()) continue;
          EXPECT_FALSE(EditBlob(blob, {{operation}}, {}).ok());
          ++refused;
          continue;
        }
        model = std::move(next);
        transaction.operations.push_back(std::move(operation));
      }
      auto edited = EditBlob(blob, transaction, std::move(spare));
      ASSERT_TRUE(edited.ok()) << edited.status();
      const auto content = ContentOf(edited->blob);
      ASSERT_TRUE(content.ok()) << content.status();
      ExpectSame(*content, model);
      ExpectKept(*edited, model);
      // What was made is what would be read.
      const auto parsed = ParseBlob(IpFamily::kV4, edited->blob.outline, edited->blob.buffer);
      ASSERT_TRUE(parsed.ok()) << parsed.status();
      ASSERT_EQ(parsed->chains.size(), edited->blob.chains.size());
      for (std::size_t i = 0; i < parsed->chains.size(); ++i) {
        EXPECT_EQ(parsed->chains[i], edited->blob.chains[i]);
      }
      EXPECT_EQ(parsed->end, edited->blob.end);
      spare = std::move(blob.buffer);
      blob = std::move(edited->blob);
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(refused, 100);
}

TableBlob WithTwoChains() {
  auto edited = EditBlob(EmptyBlob(),
                         {{CreateChain{"cali-a"}, CreateChain{"cali-b"},
                           InsertRule{"cali-a", 0, testing::JumpTo("cali-b")},
                           InsertRule{"cali-b", 0, testing::Numbered(1)},
                           InsertRule{"INPUT", 0, testing::JumpTo("cali-a")}}},
                         {});
  FELIX_CHECK(edited.ok(), "cannot make chains");
  return std::move(edited->blob);
}

TEST(TableBlobTest, AnExcerptHasWhatWasAskedForInTheKernelsOrder) {
  const absl::btree_set<std::string> chains = {"FORWARD", "cali-a", "cali-unknown"};
  const absl::btree_set<std::string> named = {"INPUT", "cali-a", "cali-b", "cali-unheard-of"};
  const auto content = ExcerptOf(WithTwoChains(), chains, named);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(testing::Dump(*content),
            ":INPUT ACCEPT\n:FORWARD ACCEPT\n:cali-a \n0 cali-b\n:cali-b \n");
}

TEST(TableBlobTest, TellsAnyChangedByteFromCountersAndRemarksOfTheKernel) {
  const TableBlob blob = WithTwoChains();
  const EntryLayout layout = LayoutOf(IpFamily::kV4);
  std::size_t differing = 0;
  for (std::size_t offset = 0; offset < blob.outline.bytes;) {
    const std::size_t size = EntryView(blob.entries().data() + offset, layout).size();
    for (std::size_t i = 0; i < size; ++i) {
      std::string other = blob.buffer;
      other[TableBlob::kRoom + offset + i] ^= 1;
      const bool is_remark = i >= layout.comefrom && i < layout.header;
      EXPECT_EQ(HoldsSameRules(blob, other), is_remark) << offset << " " << i;
      if (!is_remark) ++differing;
    }
    offset += size;
  }
  EXPECT_GT(differing, 1000U);
}

TEST(TableBlobTest, RefusesWhatIsNotLaidOutAsLibiptcDoes) {
  const TableBlob good = WithTwoChains();
  const auto parse = [&](const TableOutline& outline, std::string buffer) {
    return ParseBlob(IpFamily::kV4, outline, std::move(buffer)).ok();
  };
  EXPECT_TRUE(parse(good.outline, good.buffer));
  TableOutline outline = good.outline;
  outline.entries += 1;
  EXPECT_FALSE(parse(outline, good.buffer));
  outline = good.outline;
  outline.chain_ends[NF_INET_LOCAL_IN] = 0;
  EXPECT_FALSE(parse(outline, good.buffer));
  outline = good.outline;
  outline.bytes -= 8;
  EXPECT_FALSE(parse(outline, good.buffer.substr(0, good.buffer.size() - 8)));
  std::string swapped = good.buffer;
  swapped[swapped.find("cali-a")] = 'z';
  EXPECT_FALSE(parse(good.outline, swapped)) << "chains out of order";
  std::string truncated = good.buffer;
  truncated[TableBlob::kRoom + LayoutOf(IpFamily::kV4).next_offset] = 1;
  EXPECT_FALSE(parse(good.outline, truncated));
}

TEST(TableBlobTest, NoDamageToABufferIsRead) {
  const TableBlob good = WithTwoChains();
  Random random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string buffer = good.buffer;
    for (int n = random.Between(1, 3); n > 0; --n) {
      buffer[TableBlob::kRoom + random.Below(good.outline.bytes)] =
          static_cast<char>(random.Below(256));
    }
    const auto blob = ParseBlob(IpFamily::kV4, good.outline, buffer);
    if (!blob.ok()) continue;
    // Whatever it says now, it says it without reading outside.
    const auto content = ContentOf(*blob);
    EXPECT_TRUE(!content.ok() || content->chains.size() <= good.outline.entries);
    static_cast<void>(EditBlob(*blob, {{InsertRule{"INPUT", 0, testing::Numbered(2)}}}, {}));
  }
}

}  // namespace
}  // namespace felix::iptables
