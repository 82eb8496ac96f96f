// SPDX-License-Identifier: Apache-2.0
// What the real tools of a real etcd write is read as what was put into it.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "absl/strings/escaping.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "datastore/snapshot/snapshot_reader.h"
#include "model/base/strings.h"
#include "tests/support/etcd_server.h"

namespace felix::datastore {
namespace {

using ::testing::HasSubstr;
using Orders = std::map<std::string, double>;

constexpr std::string_view kTierKey = "/calico/resources/v3/projectcalico.org/tiers/";

class SnapshotInputsTest : public ::testing::Test {
 protected:
  SnapshotInputsTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "felix-replay-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  ~SnapshotInputsTest() override { std::filesystem::remove_all(directory_); }

  void Put(const std::string& name, int order) const {
    etcd_.Put(std::string(kTierKey) + name,
              fmt::format(R"({{"kind":"Tier","apiVersion":"projectcalico.org/v3",)"
                          R"("metadata":{{"name":"{}"}},"spec":{{"order":{}}}}})",
                          name, order));
  }
  void Delete(const std::string& name) const { etcd_.Delete(std::string(kTierKey) + name); }
  [[nodiscard]] std::string Path(const std::string& file) const { return directory_ / file; }
  // Runs etcdctl in the directory.
  void Etcdctl(const std::string& arguments) const {
    const std::string command =
        fmt::format("cd {} && export ETCDCTL_API=3 && etcdctl --endpoints={} {}",
                    directory_.string(), etcd_.endpoint().ToString(), arguments);
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  Orders Read(const std::vector<std::string>& paths, SnapshotOptions options = {}) {
    options.every_step = true;
    Orders orders;
    history_.clear();
    const auto facts = ReadSnapshot(paths, options, [&](const SnapshotStep& step) {
      for (const model::Update& update : step.updates) {
        const auto* tier = std::get_if<model::TierId>(&update.key);
        if (tier == nullptr || tier->name.size() > 1) continue;
        orders.erase(tier->name);
        if (update.value) orders[tier->name] = *std::get<model::Tier>(*update.value).order;
      }
      history_[step.moment.revision] = orders;
    });
    error_ = std::string(facts.status().message());
    return orders;
  }

  EtcdServer etcd_;
  std::filesystem::path directory_;
  std::map<std::int64_t, Orders> history_;
  std::string error_;
};

TEST_F(SnapshotInputsTest, ReadsWhatEtcdctlAndTheGatewayAnswer) {
  Put("a", 1);
  Put("b", 2);
  Etcdctl("get --prefix /calico -w json > get.json");
  EXPECT_EQ(Read({Path("get.json")}), (Orders{{"a", 1}, {"b", 2}})) << error_;
  std::ofstream(Path("range.json")) << etcd_.Ask(
      "/v3/kv/range", fmt::format(R"({{"key":"{}","range_end":"{}"}})",
                                  absl::Base64Escape("/calico/"), absl::Base64Escape("/calico0")));
  EXPECT_EQ(Read({Path("range.json")}), (Orders{{"a", 1}, {"b", 2}})) << error_;
}

TEST_F(SnapshotInputsTest, FollowsTheLogsOfBothWatches) {
  Put("a", 1);
  const std::int64_t first = etcd_.Revision();
  Etcdctl("get --prefix /calico -w json > get.json");
  Put("a", 2);
  Put("b", 3);
  Delete("a");
  // Neither watch ends by itself; what it writes until then is what somebody kept.
  Etcdctl(
      fmt::format("version > /dev/null && {{ timeout 1 etcdctl --endpoints={} watch --prefix "
                  "/calico --rev={} -w json > watch.log & "
                  "timeout 1 curl -sN {}/v3/watch -d '{{\"create_request\":{{\"key\":\"{}\","
                  "\"range_end\":\"{}\",\"start_revision\":\"{}\"}}}}' > gateway.log & "
                  "wait; }}",
                  etcd_.endpoint().ToString(), first + 1, etcd_.endpoint().ToString(),
                  absl::Base64Escape("/calico/"), absl::Base64Escape("/calico0"), first + 1));
  for (const std::string log : {"watch.log", "gateway.log"}) {
    EXPECT_EQ(Read({Path("get.json"), Path(log)}), (Orders{{"b", 3}})) << log << ": " << error_;
    EXPECT_EQ(history_[first + 1], (Orders{{"a", 2}})) << log;
    EXPECT_EQ(history_[first + 2], (Orders{{"a", 2}, {"b", 3}})) << log;
    ASSERT_EQ(std::system(
                  fmt::format("cat {} {} > {}", Path("get.json"), Path(log), Path("both")).c_str()),
              0);
    EXPECT_EQ(Read({Path("both")}), (Orders{{"b", 3}})) << log << ": " << error_;
  }
}

TEST_F(SnapshotInputsTest, ReadsASavedDatabaseWithItsHistory) {
  Put("a", 1);
  const std::int64_t first = etcd_.Revision();
  Put("a", 2);
  Delete("a");
  Put("b", 3);
  for (int i = 0; i < 500; ++i) Put("c", i);
  Etcdctl("snapshot save a.db > /dev/null 2>&1");
  EXPECT_EQ(Read({Path("a.db")}), (Orders{{"b", 3}, {"c", 499}})) << error_;
  EXPECT_EQ(history_[first], (Orders{{"a", 1}}));
  EXPECT_EQ(history_[first + 1], (Orders{{"a", 2}}));
  EXPECT_EQ(history_[first + 2], (Orders{}));
  EXPECT_EQ(history_[first + 103], (Orders{{"b", 3}, {"c", 99}}));
  SnapshotOptions options;
  options.revision = first + 1;
  EXPECT_EQ(Read({Path("a.db")}, options), (Orders{{"a", 2}}));
  ASSERT_EQ(std::system(fmt::format("zstd -q {}", Path("a.db")).c_str()), 0);
  EXPECT_EQ(Read({Path("a.db.zst")}), (Orders{{"b", 3}, {"c", 499}})) << error_;
}

TEST_F(SnapshotInputsTest, BeginsADatabasesHistoryAtItsCompaction) {
  Put("a", 1);
  Put("a", 2);
  Put("b", 3);
  const std::int64_t compacted = etcd_.Revision();
  etcd_.Compact();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Delete("b");
  Etcdctl("snapshot save a.db > /dev/null 2>&1");
  EXPECT_EQ(Read({Path("a.db")}), (Orders{{"a", 2}})) << error_;
  EXPECT_EQ(history_.begin()->first, compacted);
  EXPECT_EQ(history_.begin()->second, (Orders{{"a", 2}, {"b", 3}}));
  SnapshotOptions options;
  options.revision = compacted - 1;
  Read({Path("a.db")}, options);
  EXPECT_THAT(error_, HasSubstr("its history begins later"));
}

TEST_F(SnapshotInputsTest, NoticesADatabaseThatIsDamaged) {
  Put("a", 1);
  Etcdctl("snapshot save a.db > /dev/null 2>&1");
  std::fstream file(Path("a.db"), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-40, std::ios::end);
  file.write("x", 1);
  file.close();
  Read({Path("a.db")});
  EXPECT_THAT(error_, HasSubstr("a.db: the checksum at its end is that of another file"));
  SnapshotOptions options;
  options.lenient = true;
  EXPECT_EQ(Read({Path("a.db")}, options), (Orders{{"a", 1}}));
}

}  // namespace
}  // namespace felix::datastore
