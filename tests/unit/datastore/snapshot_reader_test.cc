// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/snapshot_reader.h"

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "datastore/snapshot/bolt_file.h"
#include "model/base/strings.h"
#include "tests/unit/datastore/resource_directory.h"

namespace felix::datastore {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::string_view kTierKey = "/calico/resources/v3/projectcalico.org/tiers/";

std::string Base64(std::string_view text) {
  return absl::Base64Escape(ToAbsl(text));
}
std::string TierJson(std::string_view name, int order) {
  return fmt::format(R"({{"kind":"Tier","apiVersion":"projectcalico.org/v3",)"
                     R"("metadata":{{"name":"{}"}},"spec":{{"order":{}}}}})",
                     name, order);
}
std::string PairJson(std::string_view name, int order, int revision) {
  return fmt::format(R"({{"key":"{}","mod_revision":{},"value":"{}"}})",
                     Base64(std::string(kTierKey) + std::string(name)), revision,
                     Base64(TierJson(name, order)));
}
std::string Listing(int revision, std::string_view pairs) {
  return fmt::format(R"({{"header":{{"cluster_id":7,"revision":{}}},"kvs":[{}],"count":1}})"
                     "\n",
                     revision, pairs);
}

class SnapshotReaderTest : public ::testing::Test {
 protected:
  // The orders of the tiers that are there in the end, but for the built-in ones.
  std::map<std::string, double> Tiers(const std::vector<std::string>& files,
                                      const SnapshotOptions& options = {}) {
    std::vector<std::string> paths;
    for (const std::string& file : files) paths.push_back(directory_.Path(file));
    std::map<std::string, double> tiers;
    steps_ = 0;
    result_ = ReadSnapshot(paths, options, [&](const SnapshotStep& step) {
      ++steps_;
      for (const model::Update& update : step.updates) {
        const auto* tier = std::get_if<model::TierId>(&update.key);
        if (tier == nullptr || tier->name == "default" || tier->name.starts_with("kube-")) continue;
        tiers.erase(tier->name);
        if (update.value) tiers[tier->name] = *std::get<model::Tier>(*update.value).order;
      }
    });
    return tiers;
  }
  [[nodiscard]] std::string Error() const { return std::string(result_.status().message()); }
  void Pack(const std::string& command) const {
    ASSERT_EQ(std::system(fmt::format("cd {} && {}", directory_.path().string(), command).c_str()),
              0);
  }

  ResourceDirectory directory_;
  absl::StatusOr<SnapshotFacts> result_;
  int steps_ = 0;
};

using Orders = std::map<std::string, double>;

TEST_F(SnapshotReaderTest, UnpacksWhatTheToolsHavePacked) {
  directory_.WriteInPlace("a.yaml", TierText("a", 1) + "---\n" + TierText("b", 2));
  Pack("gzip -k a.yaml && zstd -q a.yaml && cat a.yaml.gz > plain");
  for (const std::string file : {"a.yaml", "a.yaml.gz", "a.yaml.zst", "plain"}) {
    EXPECT_EQ(Tiers({file}), (Orders{{"a", 1}, {"b", 2}})) << file << Error();
  }
  EXPECT_EQ(result_->inputs[0].packing, "gzip");
}

TEST_F(SnapshotReaderTest, NamesAPackedFileThatEndsEarly) {
  directory_.WriteInPlace("a.json", TierJson("a", 1));
  Pack(
      "gzip -k a.json && head -c 40 a.json.gz > half.gz && zstd -q a.json && "
      "head -c 30 a.json.zst > half.zst");
  Tiers({"half.gz"});
  EXPECT_THAT(Error(), HasSubstr("half.gz: unpack gzip: the data end early"));
  Tiers({"half.zst"});
  EXPECT_THAT(Error(), HasSubstr("half.zst: unpack zstd: the data end early"));
}

TEST_F(SnapshotReaderTest, LaterInputsOverruleEarlierOnesWithoutRefusals) {
  directory_.WriteInPlace("a.yaml", TierText("a", 1) + "---\n" + TierText("b", 2));
  directory_.WriteInPlace("b.yaml", TierText("b", 3));
  int refusals = 0;
  EXPECT_EQ(Tiers({"a.yaml", "b.yaml"}), (Orders{{"a", 1}, {"b", 3}}));
  const auto facts = ReadSnapshot(
      {directory_.Path("a.yaml"), directory_.Path("b.yaml")}, {},
      [&](const SnapshotStep& step) { refusals += static_cast<int>(step.refusals.size()); });
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(refusals, 0);
}

TEST_F(SnapshotReaderTest, FollowsBothKindsOfWatchesBehindAListing) {
  directory_.WriteInPlace(
      "log",
      Listing(5, PairJson("a", 1, 4) + "," + PairJson("b", 2, 5)) +
          fmt::format(R"({{"Header":{{"revision":9}},"Events":[{{"kv":{}}}],"Created":false}})",
                      PairJson("a", 10, 6)) +
          "\n" +
          fmt::format(R"({{"result":{{"header":{{"revision":"9"}},"events":[{{"type":"DELETE",)"
                      R"("kv":{{"key":"{}","mod_revision":"7"}}}},{{"kv":{}}}]}}}})",
                      Base64(std::string(kTierKey) + "b"), PairJson("c", 3, 8)) +
          "\n");
  SnapshotOptions options;
  options.every_step = true;
  EXPECT_EQ(Tiers({"log"}, options), (Orders{{"a", 10}, {"c", 3}})) << Error();
  EXPECT_EQ(steps_, 4) << "5, 6, 7 and 8";
  EXPECT_EQ(result_->first.revision, 5);
  EXPECT_EQ(result_->last.revision, 8);
  options.revision = 6;
  EXPECT_EQ(Tiers({"log"}, options), (Orders{{"a", 10}, {"b", 2}}));
  options.revision = 4;
  Tiers({"log"}, options);
  EXPECT_THAT(Error(), HasSubstr("its history begins later, at revision 5"));
}

TEST_F(SnapshotReaderTest, EventsThatTheListingKnowsChangeNothing) {
  directory_.WriteInPlace("log",
                          Listing(5, PairJson("a", 1, 4)) +
                              fmt::format(R"({{"Header":{{"revision":9}},"Events":[{{"kv":{}}}]}})",
                                          PairJson("a", 7, 3)));
  EXPECT_EQ(Tiers({"log"}), (Orders{{"a", 1}}));
}

TEST_F(SnapshotReaderTest, NamesTheLineOfADamageOrPassesOverIt) {
  directory_.WriteInPlace("log",
                          Listing(5, PairJson("a", 1, 4)) +
                              R"({"Header":{"revision":6},"Events":[{"kv":{"key":"??"}}]})" + "\n" +
                              R"({"Header":{"revision":7},"Ev)" + "\n" +
                              fmt::format(R"({{"Header":{{"revision":9}},"Events":[{{"kv":{}}}]}})",
                                          PairJson("b", 8, 8)));
  Tiers({"log"});
  EXPECT_THAT(Error(), ContainsRegex("log:2:[0-9]+: 'key' is not in base64"));
  SnapshotOptions options;
  options.lenient = true;
  EXPECT_EQ(Tiers({"log"}, options), (Orders{{"a", 1}, {"b", 8}}));
  EXPECT_THAT(result_->damages, SizeIs(2));
}

TEST_F(SnapshotReaderTest, ReadsWhatAListingHeldBeforeItBrokeOff) {
  const std::string listing = Listing(5, PairJson("a", 1, 4) + "," + PairJson("b", 2, 5));
  directory_.WriteInPlace("half", listing.substr(0, listing.size() - 60));
  SnapshotOptions options;
  options.lenient = true;
  EXPECT_EQ(Tiers({"half"}, options), (Orders{{"a", 1}}));
  EXPECT_THAT(result_->damages, SizeIs(1));
}

TEST_F(SnapshotReaderTest, LinesAndColumnsCountBeyondTheBuffer) {
  std::string log = Listing(1, PairJson("a", 1, 1));
  for (int i = 2; i < 3000; ++i) {
    log += fmt::format(R"({{"Header":{{"revision":{}}},"Events":[{{"kv":{}}}]}})"
                       "\n",
                       i, PairJson("a", i, i));
  }
  directory_.WriteInPlace("log", log + "  nonsense\n");
  Tiers({"log"});
  EXPECT_THAT(Error(), ContainsRegex("log:3000:[0-9]+: "));
}

std::string EndpointJson(std::string_view name, std::string_view interface) {
  return fmt::format(R"({{"kind":"WorkloadEndpoint","apiVersion":"projectcalico.org/v3",)"
                     R"("metadata":{{"name":"n1-cni-{0}-eth0","namespace":"d"}},"spec":{{)"
                     R"("node":"n1","orchestrator":"cni","containerID":"{0}",)"
                     R"("endpoint":"eth0","interfaceName":"{1}","ipNetworks":["10.0.0.1/32"]}}}})",
                     name, interface);
}

TEST_F(SnapshotReaderTest, EndpointsGoBetweenTheShelfAndTheTable) {
  const std::string key =
      Base64("/calico/resources/v3/projectcalico.org/workloadendpoints/d/n1-cni-a-eth0");
  const std::string rival = Base64("/calico/v1/host/n1/workload/cni/d%2fa/endpoint/eth0");
  const auto event = [&](std::string_view of, int revision, std::string_view value) {
    return fmt::format(R"({{"Header":{{"revision":99}},"Events":[{{{}"kv":{{"key":"{}",)"
                       R"("mod_revision":{},"value":"{}"}}}}]}})"
                       "\n",
                       value.empty() ? R"("type":1,)" : "", of, revision, Base64(value));
  };
  directory_.WriteInPlace(
      "log", event(key, 2, EndpointJson("a", "cali1")) + event(key, 3, "{}") +
                 event(key, 4, EndpointJson("a", "cali2")) + event(key, 5, "") +
                 event(key, 6, EndpointJson("a", "cali3")) +
                 event(rival, 7, R"({"state":"active","name":"cali9","profile_ids":[]})") +
                 event(key, 8, EndpointJson("a", "cali4")) + event(key, 9, ""));
  std::vector<std::string> history;
  SnapshotOptions options;
  options.every_step = true;
  const auto facts = ReadSnapshot({directory_.Path("log")}, options, [&](SnapshotStep step) {
    for (const model::Update& update : step.updates) {
      if (!std::holds_alternative<model::WorkloadEndpointId>(update.key)) continue;
      history.push_back(fmt::format(
          "{} {}", step.moment.revision,
          update.value ? std::get<model::WorkloadEndpoint>(*update.value).interface_name : "gone"));
    }
  });
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_THAT(history, ElementsAre("2 cali1", "3 gone", "4 cali2", "5 gone", "6 cali3", "7 cali3",
                                   "8 cali4", "9 cali9"));
}

TEST_F(SnapshotReaderTest, ReadsARecordingAsOfATimeAndWithoutTheLineThatACrashCut) {
  const std::string key = std::string(kTierKey);
  const auto set = [&](std::string_view name, int order) {
    const std::string value = absl::StrReplaceAll(TierJson(name, order), {{"\"", "\\\""}});
    return fmt::format(R"({{"t":"set","k":"{}{}","v":"{}"}})"
                       "\n",
                       key, name, value);
  };
  const std::string meta = R"({"t":"meta","schema":1})"
                           "\n";
  const auto step = [](int second, int revision) {
    return fmt::format(R"({{"t":"step","ts":"2026-01-05T10:00:{:02}.5Z","rev":{}}})"
                       "\n",
                       second, revision);
  };
  directory_.WriteInPlace(
      "rec", meta + step(1, 5) + set("a", 1) + set("b", 2) +
                 R"({"t":"iface","ts":"x","name":"eth0","addrs":["10.0.0.1"]})" + "\n" +
                 R"({"t":"commit","us":{"compile":1,"sets":2,"tables":3,"total":9}})" + "\n" +
                 step(2, 6) + set("a", 3) + R"({"t":"news","of":"later versions"})" + "\n" + meta +
                 step(9, 9) + set("b", 4) + R"({"t":"set","k":"/calico/res)");
  EXPECT_EQ(Tiers({"rec"}), (Orders{{"b", 4}})) << "a went while nobody recorded" << Error();
  EXPECT_EQ(result_->inputs[0].format, "recording");
  ASSERT_THAT(result_->commits, SizeIs(1));
  EXPECT_EQ(result_->commits[0].total, 9U);
  SnapshotOptions options;
  options.at = absl::FromUnixSeconds(1767607203);  // 10:00:03
  EXPECT_EQ(Tiers({"rec"}, options), (Orders{{"a", 3}, {"b", 2}})) << Error();
  options.at = absl::FromUnixSeconds(1767607202);
  EXPECT_EQ(Tiers({"rec"}, options), (Orders{{"a", 1}, {"b", 2}})) << Error();
  directory_.WriteInPlace("listing", Listing(5, PairJson("a", 1, 4)));
  Tiers({"listing"}, options);
  EXPECT_THAT(Error(), HasSubstr("tells no times, only revisions"));
}

TEST_F(SnapshotReaderTest, NoBytesMakeTheDatabaseReaderFall) {
  // Meta pages with a good checksum and pages of nonsense behind them.
  std::string file(4 * 4096, '\xff');
  const auto put = [&](std::size_t at, auto number) {
    std::memcpy(file.data() + at, &number, sizeof number);
  };
  for (const std::size_t page : {std::size_t{0}, std::size_t{4096}}) {
    std::memset(file.data() + page, 0, 80);
    put(page + 16, std::uint32_t{0xED0CDAED});
    put(page + 20, std::uint32_t{2});
    put(page + 24, std::uint32_t{4096});
    put(page + 32, std::uint64_t{3});
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (std::size_t i = 16; i < 72; ++i) {
      hash = (hash ^ static_cast<unsigned char>(file[page + i])) * 0x100000001b3U;
    }
    put(page + 72, hash);
  }
  const auto attempt = [&] {
    const auto bolt = BoltFile::Open(file);
    EXPECT_TRUE(bolt.ok());
    int damages = 0;
    bolt->ForEach(
        "key", [](std::string_view, std::string_view) { return true; },
        [&](std::string_view) { return ++damages < 1000; });
    return damages;
  };
  EXPECT_EQ(attempt(), 1);
  // A branch whose every child is the other branch: nobody is to walk that to the end.
  for (const std::size_t page : {std::size_t{2}, std::size_t{3}}) {
    std::memset(file.data() + page * 4096, 0, 4096);
    put(page * 4096, std::uint64_t{page});
    put(page * 4096 + 8, std::uint16_t{1});
    put(page * 4096 + 10, std::uint16_t{200});
    for (std::size_t i = 0; i < 200; ++i) put(page * 4096 + 24 + i * 16, std::uint64_t{5 - page});
  }
  EXPECT_EQ(attempt(), 399) << "each child but the first";
  unsigned state = 1;
  for (int round = 0; round < 2000; ++round) {
    for (std::size_t i = 3 * 4096; i < 3 * 4096 + 600; ++i) {
      state = state * 1103515245U + 12345U;
      file[i] = static_cast<char>(state >> 16U);
    }
    put(3 * 4096, std::uint64_t{3});
    put(3 * 4096 + 8, static_cast<std::uint16_t>(1 + round % 2));
    put(3 * 4096 + 10, static_cast<std::uint16_t>(round % 300));
    put(3 * 4096 + 12, std::uint32_t{0});
    attempt();
  }
}

}  // namespace
}  // namespace felix::datastore
