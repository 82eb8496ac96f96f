// SPDX-License-Identifier: Apache-2.0
#include "datastore/file_source.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/unit/datastore/recording_sink.h"
#include "tests/unit/datastore/resource_directory.h"

namespace felix::datastore {
namespace {

using State = RecordingSink::State;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class FileSourceTest : public ::testing::Test {
 protected:
  void Start() {
    ASSERT_TRUE(source_.Start(sink_).ok());
    ASSERT_TRUE(sink_.WaitUntil([](const State& s) { return s.in_sync_marks == 1; }));
  }
  void ExpectTier(const std::string& name, int order) {
    EXPECT_TRUE(sink_.WaitUntil([&](const State& s) { return s.TierHasOrder(name, order); }))
        << name << " " << order;
  }
  void ExpectNoTier(const std::string& name) {
    EXPECT_TRUE(sink_.WaitUntil([&](const State& s) { return s.Tier(name) == nullptr; })) << name;
  }
  void ExpectRefusals(std::size_t count) {
    EXPECT_TRUE(sink_.WaitUntil([&](const State& s) { return s.refusals.size() == count; }))
        << sink_.Now().refusals.size();
  }
  // Something that is certain to be told after all that came before it.
  void WriteMarker() {
    directory_.Replace("marker.yaml", TierText("marker", ++marker_));
    ExpectTier("marker", marker_);
  }

  ResourceDirectory directory_;
  RecordingSink sink_;
  FileSource source_{directory_.path().string()};
  int marker_ = 0;
};

TEST_F(FileSourceTest, DeliversWhatIsThereAsOneBatchBeforeTheMark) {
  directory_.Replace("a.yaml", TierText("a", 1));
  directory_.Replace("b.json", R"({"apiVersion": "projectcalico.org/v3", "kind": "Tier",
                                   "metadata": {"name": "b"}, "spec": {"order": 2}})");
  directory_.Replace("c.yml", TierText("c", 3));
  directory_.Replace("d.txt", TierText("d", 4));
  directory_.Replace(".e.yaml", TierText("e", 5));
  std::filesystem::create_directories(directory_.Path("sub/sub"));
  directory_.Replace("sub/sub/f.yaml", TierText("f", 6));
  std::filesystem::create_directories(directory_.Path(".hidden"));
  directory_.Replace(".hidden/g.yaml", TierText("g", 7));
  Start();
  const State state = sink_.Now();
  EXPECT_THAT(state.batches, SizeIs(1));
  EXPECT_TRUE(state.TierHasOrder("a", 1));
  EXPECT_TRUE(state.TierHasOrder("b", 2));
  EXPECT_TRUE(state.TierHasOrder("c", 3));
  EXPECT_TRUE(state.TierHasOrder("f", 6));
  EXPECT_EQ(state.store.tiers().size(), 4U + 3U);
  EXPECT_EQ(state.store.profiles().size(), 1U);
  EXPECT_THAT(state.refusals, IsEmpty());
  EXPECT_THAT(state.losses, IsEmpty());
}

TEST_F(FileSourceTest, DeliversARenameAsOneBatchWithinMilliseconds) {
  Start();
  constexpr int kRounds = 50;
  std::vector<double> milliseconds;
  for (int i = 1; i <= kRounds; ++i) {
    const std::size_t batches_before = sink_.Now().batches.size();
    const auto begin = std::chrono::steady_clock::now();
    directory_.Replace("a.yaml", TierText("a", i) + "---\n" + TierText("b", i));
    ExpectTier("b", i);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    milliseconds.push_back(took.count());
    const State state = sink_.Now();
    EXPECT_EQ(state.batches.size(), batches_before + 1);
    EXPECT_THAT(state.batches.back(), SizeIs(2));
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  // Half of them may wait for a busy machine's scheduler.
  EXPECT_LT(milliseconds[kRounds / 2], 20.0);
}

TEST_F(FileSourceTest, ReadsAFileThatIsWrittenInPlaceOnceItIsClosed) {
  directory_.Replace("a.yaml", TierText("a", 1));
  Start();
  std::ofstream writer(directory_.Path("a.yaml"));
  const std::string text = TierText("a", 2);
  writer << text.substr(0, 60) << std::flush;
  WriteMarker();
  EXPECT_TRUE(sink_.Now().TierHasOrder("a", 1));
  writer << text.substr(60);
  writer.close();
  ExpectTier("a", 2);
  EXPECT_THAT(sink_.Now().refusals, IsEmpty());
}

TEST_F(FileSourceTest, KeepsTheLastGoodContentOfABrokenFile) {
  directory_.Replace("a.yaml", TierText("a", 1));
  Start();
  directory_.Replace("a.yaml", "apiVersion: projectcalico.org/v3\nkind: [Tier\nmetadata: x\n");
  ExpectRefusals(1);
  const State broken = sink_.Now();
  EXPECT_TRUE(broken.TierHasOrder("a", 1));
  const Refusal& refusal = broken.refusals.at("a.yaml");
  EXPECT_EQ(refusal.origin, directory_.Path("a.yaml").string() + ":3:9");
  EXPECT_FALSE(refusal.reason.empty());
  directory_.Replace("a.yaml", TierText("a", 2));
  ExpectTier("a", 2);
  ExpectRefusals(0);
}

TEST_F(FileSourceTest, NamesAFileThatIsBrokenFromTheStart) {
  directory_.Replace("a.yaml", "{");
  directory_.Replace("b.yaml", TierText("b", 1));
  Start();
  ExpectRefusals(1);
  EXPECT_EQ(sink_.Now().refusals.count("a.yaml"), 1U);
  EXPECT_TRUE(sink_.Now().TierHasOrder("b", 1));
  directory_.Remove("a.yaml");
  ExpectRefusals(0);
}

TEST_F(FileSourceTest, RemovesTheObjectsOfARemovedFile) {
  directory_.Replace("a.yaml", TierText("a", 1) + "---\n" + TierText("b", 2));
  Start();
  directory_.Remove("a.yaml");
  ExpectNoTier("a");
  ExpectNoTier("b");
  EXPECT_THAT(sink_.Now().losses, IsEmpty());
}

TEST_F(FileSourceTest, DeliversNothingForAnEditWithoutEffect) {
  directory_.Replace("a.yaml", TierText("a", 1));
  Start();
  const std::size_t before = sink_.Now().batches.size();
  directory_.Replace("a.yaml", "# a comment\n" + TierText("a", 1));
  std::filesystem::rename(directory_.Path("a.yaml"), directory_.Path("b.yaml"));
  WriteMarker();
  const State state = sink_.Now();
  EXPECT_EQ(state.batches.size(), before + 1);
  EXPECT_TRUE(state.TierHasOrder("a", 1));
}

TEST_F(FileSourceTest, FollowsDirectoriesThatAreMadeAndRemovedLater) {
  Start();
  std::filesystem::create_directories(directory_.Path("x/y"));
  directory_.WriteInPlace("x/y/a.yaml", TierText("a", 1));
  ExpectTier("a", 1);
  directory_.Replace("x/y/a.yaml", TierText("a", 2));
  ExpectTier("a", 2);
  std::filesystem::rename(directory_.Path("x"), directory_.Path("z"));
  WriteMarker();
  directory_.Replace("z/y/a.yaml", TierText("a", 3));
  ExpectTier("a", 3);
  directory_.Remove("z");
  ExpectNoTier("a");
  EXPECT_THAT(sink_.Now().losses, IsEmpty());
}

TEST_F(FileSourceTest, FollowsADirectoryThatIsMovedInWithItsFiles) {
  Start();
  std::filesystem::create_directory(directory_.Beside("ready"));
  std::ofstream(directory_.Beside("ready") / "a.yaml") << TierText("a", 1);
  std::filesystem::rename(directory_.Beside("ready"), directory_.Path("ready"));
  ExpectTier("a", 1);
  std::filesystem::rename(directory_.Path("ready"), directory_.Beside("ready"));
  ExpectNoTier("a");
}

TEST_F(FileSourceTest, SettlesDuplicatesAcrossFiles) {
  directory_.Replace("b.yaml", TierText("x", 2));
  Start();
  directory_.Replace("a.yaml", TierText("x", 1));
  ExpectTier("x", 1);
  ExpectRefusals(1);
  EXPECT_EQ(sink_.Now().refusals.at("b.yaml#Tier x").reason,
            "already defined at " + directory_.Path("a.yaml").string() + ":1:1");
  directory_.Remove("a.yaml");
  ExpectTier("x", 2);
  ExpectRefusals(0);
}

TEST_F(FileSourceTest, KeepsEverythingWhileTheDirectoryIsGone) {
  directory_.Replace("a.yaml", TierText("a", 1));
  directory_.Replace("b.yaml", TierText("b", 1));
  Start();
  std::filesystem::rename(directory_.path(), directory_.Beside("elsewhere"));
  ASSERT_TRUE(sink_.WaitUntil([](const State& s) { return !s.losses.empty(); }));
  EXPECT_TRUE(sink_.Now().TierHasOrder("a", 1));
  std::ofstream(directory_.Beside("elsewhere") / "a.yaml") << TierText("a", 2);
  std::filesystem::remove(directory_.Beside("elsewhere") / "b.yaml");
  std::filesystem::rename(directory_.Beside("elsewhere"), directory_.path());
  ExpectTier("a", 2);
  ExpectNoTier("b");
  EXPECT_TRUE(sink_.WaitUntil([](const State& s) { return s.in_sync_marks == 2; }));
}

TEST_F(FileSourceTest, KeepsEverythingWhenTheDirectoryIsRemovedWithItsFiles) {
  for (int i = 0; i < 20; ++i) {
    directory_.Replace(fmt::format("t{}.yaml", i), TierText(fmt::format("t{}", i), i));
  }
  Start();
  std::filesystem::remove_all(directory_.path());
  ASSERT_TRUE(sink_.WaitUntil([](const State& s) { return !s.losses.empty(); }));
  EXPECT_EQ(sink_.Now().store.tiers().size(), 20U + 3U);
}

TEST_F(FileSourceTest, WaitsForADirectoryThatIsNotThereYet) {
  std::filesystem::remove(directory_.path());
  ASSERT_TRUE(source_.Start(sink_).ok());
  ASSERT_TRUE(sink_.WaitUntil([](const State& s) { return !s.losses.empty(); }));
  EXPECT_EQ(sink_.Now().in_sync_marks, 0);
  EXPECT_THAT(sink_.Now().batches, IsEmpty());
  std::filesystem::create_directory(directory_.path());
  directory_.Replace("a.yaml", TierText("a", 1));
  ExpectTier("a", 1);
}

TEST_F(FileSourceTest, FollowsLinksAsAConfigMapIsMounted) {
  std::filesystem::create_directory(directory_.Path("..v1"));
  std::ofstream(directory_.Path("..v1/a.yaml")) << TierText("a", 1);
  std::filesystem::create_symlink("..v1", directory_.Path("..data"));
  std::filesystem::create_symlink("..data/a.yaml", directory_.Path("a.yaml"));
  Start();
  EXPECT_TRUE(sink_.Now().TierHasOrder("a", 1));
  std::filesystem::create_directory(directory_.Path("..v2"));
  std::ofstream(directory_.Path("..v2/a.yaml")) << TierText("a", 2);
  std::filesystem::create_symlink("..v2", directory_.Path("..data_tmp"));
  std::filesystem::rename(directory_.Path("..data_tmp"), directory_.Path("..data"));
  ExpectTier("a", 2);
}

TEST_F(FileSourceTest, ReadsLinksOnceTheyAppear) {
  std::ofstream(directory_.Beside("a")) << TierText("a", 1);
  std::ofstream(directory_.Beside("b")) << TierText("b", 1);
  Start();
  std::filesystem::create_symlink(directory_.Beside("a"), directory_.Path("a.yaml"));
  ExpectTier("a", 1);
  std::filesystem::create_hard_link(directory_.Beside("b"), directory_.Path("b.yaml"));
  ExpectTier("b", 1);
  std::filesystem::create_symlink("/nowhere", directory_.Path("c.yaml"));
  ExpectRefusals(1);
  EXPECT_EQ(sink_.Now().refusals.count("c.yaml"), 1U);
}

TEST_F(FileSourceTest, ReadsEverythingAnewWhenTold) {
  std::ofstream(directory_.Beside("a")) << TierText("a", 1);
  std::filesystem::create_symlink(directory_.Beside("a"), directory_.Path("a.yaml"));
  Start();
  std::ofstream(directory_.Beside("a")) << TierText("a", 2);
  source_.Resync();
  ExpectTier("a", 2);
  EXPECT_TRUE(sink_.WaitUntil([](const State& s) { return s.in_sync_marks == 2; }));
}

TEST_F(FileSourceTest, RefusesWhatIsNoRegularFile) {
  Start();
  std::filesystem::create_directory(directory_.Path("d.yaml"));
  ASSERT_EQ(mkfifo(directory_.Path("pipe.yaml").c_str(), 0600), 0);
  source_.Resync();
  ExpectRefusals(1);
  EXPECT_EQ(sink_.Now().refusals.at("pipe.yaml").reason, "not a regular file");
}

TEST_F(FileSourceTest, CountsIgnoredKinds) {
  directory_.Replace("a.yaml",
                     "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: a}}");
  Start();
  EXPECT_EQ(source_.IgnoredKinds(), (absl::btree_map<std::string, std::size_t>{{"BGPPeer", 1}}));
}

TEST_F(FileSourceTest, SaysNothingAfterStopAndStopsTwice) {
  Start();
  source_.Stop();
  directory_.Replace("a.yaml", TierText("a", 1));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(sink_.Now().Tier("a"), nullptr);
  source_.Stop();
}

TEST_F(FileSourceTest, StartsOnlyOnce) {
  Start();
  EXPECT_TRUE(absl::IsFailedPrecondition(source_.Start(sink_)));
}

}  // namespace
}  // namespace felix::datastore
