// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/snapshot_source.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "datastore/source_factory.h"
#include "tests/unit/datastore/recording_sink.h"
#include "tests/unit/datastore/resource_directory.h"

namespace felix::datastore {
namespace {

using ::testing::HasSubstr;
using State = RecordingSink::State;

TEST(SnapshotSource, ReadsAFileInPlaceOfADirectoryAndAgainWhenAsked) {
  const ResourceDirectory directory;
  directory.WriteInPlace("a.yaml", TierText("a", 1) + "---\n" + TierText("b", 2));
  auto source = MakeSource({.address = "file:" + directory.Path("a.yaml").string()});
  ASSERT_TRUE(source.ok()) << source.status();
  RecordingSink sink;
  ASSERT_TRUE((*source)->Start(sink).ok());
  EXPECT_FALSE((*source)->Start(sink).ok()) << "the second time";
  ASSERT_TRUE(sink.WaitUntil([](const State& s) { return s.in_sync_marks == 1; }));
  EXPECT_TRUE(sink.Now().TierHasOrder("a", 1));

  directory.Replace("a.yaml", TierText("b", 3));
  (*source)->Resync();
  ASSERT_TRUE(sink.WaitUntil([](const State& s) { return s.in_sync_marks == 2; }));
  EXPECT_EQ(sink.Now().Tier("a"), nullptr);
  EXPECT_TRUE(sink.Now().TierHasOrder("b", 3));
  EXPECT_NE(sink.Now().Tier("default"), nullptr);

  directory.Replace("a.yaml", "{nonsense");
  (*source)->Resync();
  ASSERT_TRUE(sink.WaitUntil([](const State& s) { return s.losses.size() == 1; }));
  EXPECT_THAT(std::string(sink.Now().losses[0].message()), HasSubstr("a.yaml:1:"));
  EXPECT_TRUE(sink.Now().TierHasOrder("b", 3)) << "what was delivered stays";
  (*source)->Stop();
}

TEST(SnapshotSource, DeliversNothingOfADatastoreThatIsNotToBeUsed) {
  const ResourceDirectory directory;
  directory.WriteInPlace("a.json", R"({"key": "/calico/v1/Ready", "value": "false"})");
  SnapshotSource source(directory.Path("a.json"));
  RecordingSink sink;
  ASSERT_TRUE(source.Start(sink).ok());
  ASSERT_TRUE(sink.WaitUntil([](const State& s) { return s.losses.size() == 1; }));
  EXPECT_EQ(sink.Now().in_sync_marks, 0);
  EXPECT_EQ(sink.Now().store.size(), 0U);
}

}  // namespace
}  // namespace felix::datastore
