// SPDX-License-Identifier: Apache-2.0
#include "felix/status_reporter.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/unit/felix/manual_clock.h"

namespace felix {
namespace {

using datastore::EndpointStatus;
using datastore::StatusReport;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

class KeptReports final : public datastore::StatusWriter {
 public:
  explicit KeptReports(std::vector<StatusReport>& reports) : reports_(reports) {}
  void Report(StatusReport report) override { reports_.push_back(std::move(report)); }
  void Stop() override {}

 private:
  std::vector<StatusReport>& reports_;
};

model::WorkloadEndpointId Id(const std::string& name, const std::string& host = "node-1") {
  return {host, "k8s", name, "eth0"};
}

model::Update Endpoint(const std::string& name, const std::string& host = "node-1") {
  model::WorkloadEndpoint endpoint;
  endpoint.interface_name = "cali" + name;
  return {Id(name, host), endpoint};
}

ApplyReport Failed() {
  ApplyReport report;
  report.failures.push_back({"writing the ipv4 filter table", absl::UnavailableError("busy")});
  return report;
}

class StatusReporterTest : public ::testing::Test {
 protected:
  StatusReporterTest() {
    config_.compiler.hostname = "node-1";
    config_.endpoint_reporting = true;
    config_.endpoint_reporting_delay = std::chrono::seconds(1);
  }
  void Hear(const std::vector<model::Update>& updates) { reporter_.Hear(updates, config_); }
  void Apply(const ApplyReport& report = {}) { reporter_.HearApply(report, config_); }

  testing::ManualClock clock_;
  Config config_;
  std::vector<StatusReport> reports_;
  std::set<std::string> up_ = {"calia"};
  StatusReporter reporter_{clock_, std::make_unique<KeptReports>(reports_),
                           [this](const std::string& name) { return up_.contains(name); }};
};

TEST_F(StatusReporterTest, TellsOfThisHostsEndpointsOnceTheyAreWritten) {
  Hear({Endpoint("a"), Endpoint("b"), Endpoint("c", "node-2")});
  EXPECT_THAT(reports_, IsEmpty());
  Apply();
  ASSERT_THAT(reports_, SizeIs(1));
  EXPECT_THAT(reports_[0].endpoints, ElementsAre(Pair(Id("a"), EndpointStatus::kUp),
                                                 Pair(Id("b"), EndpointStatus::kDown)));
  Apply();
  EXPECT_THAT(reports_, SizeIs(1));
}

TEST_F(StatusReporterTest, NoticesInterfacesThatGoUpAndDown) {
  Hear({Endpoint("a")});
  Apply();
  up_.clear();
  reporter_.Step(config_);
  EXPECT_THAT(reports_, SizeIs(1));
  clock_.Advance(std::chrono::seconds(1));
  reporter_.Step(config_);
  ASSERT_THAT(reports_, SizeIs(2));
  EXPECT_THAT(reports_[1].endpoints, ElementsAre(Pair(Id("a"), EndpointStatus::kDown)));
}

TEST_F(StatusReporterTest, AnEndpointThatCannotBeWrittenIsInError) {
  Hear({Endpoint("a")});
  Apply();
  Hear({Endpoint("b")});
  Apply(Failed());
  ASSERT_THAT(reports_, SizeIs(2));
  EXPECT_THAT(reports_[1].endpoints, ElementsAre(Pair(Id("a"), EndpointStatus::kUp),
                                                 Pair(Id("b"), EndpointStatus::kError)));
  Apply();
  EXPECT_THAT(reports_.back().endpoints, ElementsAre(Pair(Id("a"), EndpointStatus::kUp),
                                                     Pair(Id("b"), EndpointStatus::kDown)));
}

TEST_F(StatusReporterTest, AnEndpointWhoseChainIsClosedIsInError) {
  Hear({Endpoint("a")});
  ApplyReport report;
  report.closed.push_back({"ipv4 filter", "cali-tw-calia", "cali-tw-calia", "too long"});
  Apply(report);
  EXPECT_THAT(reports_.back().endpoints, ElementsAre(Pair(Id("a"), EndpointStatus::kError)));
}

TEST_F(StatusReporterTest, AnEndpointIsForgottenOnceItsRulesAreGone) {
  Hear({Endpoint("a")});
  Apply();
  Hear({{Id("a"), std::nullopt}});
  clock_.Advance(std::chrono::seconds(1));
  reporter_.Step(config_);
  EXPECT_THAT(reports_.back().endpoints, SizeIs(1));
  Apply();
  EXPECT_THAT(reports_.back().endpoints, IsEmpty());
}

TEST_F(StatusReporterTest, TellsNothingBeforeTheFirstApplyThatSucceeds) {
  Hear({Endpoint("a")});
  Apply(Failed());
  EXPECT_THAT(reports_, IsEmpty());
}

TEST_F(StatusReporterTest, NeedsNoTurnsUnlessItTellsOfEndpoints) {
  config_.endpoint_reporting = false;
  config_.reporting_interval = std::chrono::seconds(30);
  Hear({Endpoint("a")});
  Apply();
  EXPECT_FALSE(reporter_.NextDue().has_value());
  ASSERT_THAT(reports_, SizeIs(1));
  EXPECT_EQ(reports_[0].host_interval, std::chrono::seconds(30));
  EXPECT_THAT(reports_[0].endpoints, IsEmpty());
}

}  // namespace
}  // namespace felix
