// SPDX-License-Identifier: Apache-2.0
#include "felix/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "felix/once_report.h"
#include "tests/unit/felix/fake_host_kernel.h"
#include "tests/unit/felix/manual_clock.h"

namespace felix {
namespace {

using namespace std::chrono_literals;
using model::IpFamily;
using ::testing::HasSubstr;

model::Update Endpoint(const std::string& interface) {
  model::WorkloadEndpoint endpoint;
  endpoint.interface_name = interface;
  endpoint.addresses = {model::IpAddress::Parse("10.65.0.1").value()};
  return {model::WorkloadEndpointId{"node-1", "cni", "default/" + interface, "eth0"}, endpoint};
}

model::Update Configuration(const std::string& host, const std::string& name,
                            const std::string& value) {
  return {model::ConfigId{host}, model::ConfigParameters{{{name, value}}}};
}

class EngineTest : public ::testing::Test {
 protected:
  static ConfigSources Sources() {
    ConfigSources sources;
    sources.command_line["FelixHostname"] = "node-1";
    return sources;
  }

  testing::ManualClock clock;
  testing::FakeHost host;
  int opened = 0;
  absl::Status open_status;
  Engine engine{clock, Sources(),
                [this](const Config&) -> absl::StatusOr<std::unique_ptr<HostKernel>> {
                  ++opened;
                  if (!open_status.ok()) return open_status;
                  return std::unique_ptr<HostKernel>(new testing::FakeHostKernel(host));
                }};
};

TEST_F(EngineTest, T21_DoesNotEvenOpenTheKernelBeforeTheDatastoreIsComplete) {
  engine.OnUpdates({Endpoint("cali1")});
  clock.Advance(600s);
  EXPECT_TRUE(engine.Step().ok());
  EXPECT_EQ(opened, 0);
  EXPECT_EQ(engine.NextDue(), std::nullopt);
}

TEST_F(EngineTest, AppliesTheFirstCompleteState) {
  engine.OnUpdates({Endpoint("cali1")});
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  ASSERT_TRUE(engine.last_outcome().has_value());
  EXPECT_TRUE(engine.last_outcome()->report.ok());
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-tw-cali1"));
}

TEST_F(EngineTest, AppliesAChangeInTheStepThatHearsIt) {
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  engine.OnUpdates({Endpoint("cali2")});
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-tw-cali2"));
  EXPECT_EQ(engine.applies(), 2U);
}

TEST_F(EngineTest, AppliesNothingForAnUpdateThatChangesNothing) {
  engine.OnUpdates({Endpoint("cali1")});
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  engine.OnUpdates({Endpoint("cali1")});
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_EQ(engine.applies(), 1U);
}

TEST_F(EngineTest, MeasuresFromTheHandOverOfTheFirstChange) {
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  engine.NoteArrival(clock.Now());
  clock.Advance(7ms);
  engine.NoteArrival(clock.Now());
  engine.OnUpdates({Endpoint("cali1")});
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_EQ(engine.last_outcome()->total_time, 7ms);
}

TEST_F(EngineTest, MeasuresAFailedAttemptToo) {
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  engine.NoteArrival(clock.Now());
  engine.OnUpdates({Endpoint("cali1")});
  host.v4().FailOpens(1, absl::ResourceExhaustedError("cannot allocate memory"));
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_FALSE(engine.last_outcome()->report.ok());
  clock.Advance(100ms);
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_TRUE(engine.last_outcome()->report.ok());
  EXPECT_EQ(engine.last_outcome()->total_time, 100ms);
}

TEST_F(EngineTest, HeedsConfigurationOfTheDatastoreFromTheFirstApplyOn) {
  engine.OnUpdates({Endpoint("cali1"), Configuration("", "Ipv6Support", "false"),
                    Configuration("node-1", "MaxIpsetSize", "4096"),
                    Configuration("node-2", "MaxIpsetSize", "1")});
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_EQ(host.v6().opens(), 0);
  EXPECT_EQ(engine.config().max_ipset_size, 4096U);
}

TEST_F(EngineTest, ChangesConfigurationInPlace) {
  engine.OnUpdates({Endpoint("cali1"), Endpoint("tap1")});
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_FALSE(host.HasChain(IpFamily::kV4, "cali-tw-tap1"));
  engine.OnUpdates({Configuration("", "InterfacePrefix", "cali,tap")});
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-tw-tap1"));
  engine.OnUpdates({{model::ConfigId{}, std::nullopt}});
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_FALSE(host.HasChain(IpFamily::kV4, "cali-tw-tap1"));
  EXPECT_EQ(opened, 1);
}

TEST_F(EngineTest, ChangesRefreshIntervalsInPlace) {
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  const auto applies_after = [&](std::chrono::seconds pause) {
    const std::uint64_t before = engine.applies();
    clock.Advance(pause);
    EXPECT_TRUE(engine.Step().ok());
    return engine.applies() - before;
  };
  EXPECT_EQ(applies_after(20s), 0U);
  engine.OnUpdates({Configuration("", "IpsetsRefreshInterval", "5")});
  EXPECT_EQ(applies_after(0s), 1U) << "the last reading is too old now";
  static_cast<void>(applies_after(1s));  // the other family's sets, in a turn of their own
  EXPECT_EQ(applies_after(3s), 0U);
  EXPECT_EQ(applies_after(1s), 1U);
}

TEST_F(EngineTest, StaysWhoItIsUntilItIsStartedAgain) {
  engine.OnUpdates({Endpoint("cali1")});
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  ConfigSources other = Sources();
  other.command_line["FelixHostname"] = "node-2";
  engine.Reconfigure(other);
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_EQ(engine.graph().options().hostname, "node-1");
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-tw-cali1"));
}

TEST_F(EngineTest, RepairsTheKernelWhenAskedToResync) {
  engine.OnUpdates({Endpoint("cali1")});
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  host.v4().ChangeUnlocked(
      [](iptables::TableContent& content) { testing::ChainOf(content, "FORWARD").rules.clear(); });
  engine.Resync();
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_EQ(engine.last_outcome()->report.commits, 1U);
}

TEST_F(EngineTest, KeepsTheRefusalsInForce) {
  const datastore::Refusal refusal{"NetworkPolicy prod/db", "a.yaml:1:1", "spec.order", "bad"};
  engine.OnRefusal("x", refusal);
  engine.OnRefusal("y", refusal);
  engine.OnRefusal("y", std::nullopt);
  ASSERT_EQ(engine.refusals().size(), 1U);
  EXPECT_EQ(engine.refusals().at("x"), refusal);
}

TEST_F(EngineTest, KeepsWhatItKnowsWhenTheSourceIsLost) {
  engine.OnUpdates({Endpoint("cali1")});
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  engine.OnLost(absl::UnavailableError("gone"));
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_FALSE(engine.source_status().ok());
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-tw-cali1"));
  engine.OnInSync();
  EXPECT_TRUE(engine.source_status().ok());
}

TEST_F(EngineTest, EndsIfTheKernelCannotBeOpened) {
  open_status = absl::PermissionDeniedError("cannot open: permission denied");
  engine.OnInSync();
  EXPECT_EQ(engine.Step(), open_status);
}

TEST_F(EngineTest, EndsWithADiagnosisAfterNinetySecondsWithoutSuccess) {
  host.v4().FailOpens(1000000, absl::PermissionDeniedError("permission denied"));
  host.v6().FailOpens(1000000, absl::PermissionDeniedError("permission denied"));
  engine.OnInSync();
  absl::Status status;
  std::chrono::seconds waited{};
  for (; status.ok() && waited < 200s; waited += 1s) {
    status = engine.Step();
    clock.Advance(1s);
  }
  EXPECT_GE(waited, 90s);
  EXPECT_LE(waited, 102s);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << "main gives this an exit status of its own";
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("write the ipv4 filter table: permission denied"));
}

TEST_F(EngineTest, IsReadyWhileItsTablesCanBeWritten) {
  EXPECT_EQ(engine.readiness(), Readiness::kStarting);
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_EQ(engine.readiness(), Readiness::kReady);
  host.v4().FailOpens(1000000, absl::ResourceExhaustedError("no memory"));
  engine.OnUpdates({Endpoint("cali1")});
  for (int seconds = 0; seconds < 40; ++seconds) {
    ASSERT_TRUE(engine.Step().ok());
    clock.Advance(1s);
  }
  EXPECT_EQ(engine.readiness(), Readiness::kNotReady);
  EXPECT_TRUE(host.HasChain(IpFamily::kV6, "cali-tw-cali1")) << "all else goes on";
  host.v4().FailOpens(0, absl::OkStatus());
  clock.Advance(10s);
  ASSERT_TRUE(engine.Step().ok());
  EXPECT_EQ(engine.readiness(), Readiness::kReady);
}

TEST_F(EngineTest, RepairsATableOfAnotherSizeWithinASecondAndSaysWhatWasDone) {
  engine.OnUpdates({Endpoint("cali1")});
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  host.present = {{IpFamily::kV4, {ir::Table::kFilter}}, {IpFamily::kV6, {ir::Table::kFilter}}};
  engine.Resync();
  ASSERT_TRUE(engine.Step().ok());
  const int v6_opens = host.v6().opens();
  host.v4().ChangeUnlocked([](iptables::TableContent& table) {
    testing::ChainOf(table, "cali-tw-cali1").rules.clear();
  });
  clock.Advance(1s);
  ASSERT_TRUE(engine.Step().ok());
  iptables::TableContent repaired = host.v4().content();
  EXPECT_FALSE(testing::ChainOf(repaired, "cali-tw-cali1").rules.empty());
  EXPECT_EQ(host.v6().opens(), v6_opens) << "only what has changed is read";
  ASSERT_EQ(engine.last_outcome()->report.drift.size(), 1U);
  EXPECT_THAT(engine.last_outcome()->report.drift.front(),
              HasSubstr("ipv4 filter: rules of chain cali-tw-cali1 were deleted"));
}

TEST_F(EngineTest, TellsAboutASingleRunInOneLineOfJson) {
  engine.OnUpdates({Endpoint("cali1"), Endpoint("cali2")});
  engine.OnRefusal("x", datastore::Refusal{"NetworkPolicy \"a\"", "a.yaml:1:1", "spec", "bad"});
  engine.OnInSync();
  ASSERT_TRUE(engine.Step().ok());
  OnceFigures figures;
  figures.Add(engine.last_outcome()->report);
  figures.total_time = 5us;
  figures.ignored["IPPool"] = 2;
  const std::string json = OnceJson(engine, figures);
  EXPECT_THAT(json, HasSubstr(R"("endpoints":2)"));
  EXPECT_THAT(json, HasSubstr(R"("commits":2)"));
  EXPECT_THAT(json, HasSubstr(R"("total":5)"));
  EXPECT_THAT(json, HasSubstr(R"("refused":[{"object":"NetworkPolicy \"a\"",)"
                              R"("origin":"a.yaml:1:1","field":"spec","reason":"bad"}])"));
  EXPECT_THAT(json, HasSubstr(R"("ignored":{"IPPool":2})"));
  EXPECT_EQ(json.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace felix
