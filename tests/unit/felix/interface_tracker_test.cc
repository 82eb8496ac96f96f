// SPDX-License-Identifier: Apache-2.0
#include "felix/interface_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "felix/interface_patterns.h"

namespace felix {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

model::IpAddress Address(std::string_view text) {
  const auto address = model::IpAddress::Parse(text);
  EXPECT_TRUE(address.ok()) << text;
  return *address;
}

model::Update Present(const std::string& name, const std::vector<std::string>& addresses = {}) {
  model::Interface interface;
  for (const std::string& text : addresses) {
    interface.addresses.push_back(Address(text));
  }
  return {model::InterfaceId{name}, interface};
}
model::Update Gone(const std::string& name) {
  return {model::InterfaceId{name}, std::nullopt};
}

class InterfaceTrackerTest : public ::testing::Test {
 protected:
  static InterfaceTracker::Selection HostInterfaces() {
    InterfaceTracker::Selection selection;
    selection.is_reported = [](const std::string& name) { return !name.starts_with("cali"); };
    selection.has_addresses = [](const std::string& name) { return name != "kube-ipvs0"; };
    return selection;
  }

  const model::IpAddress one_ = Address("10.0.0.1");
  const model::IpAddress two_ = Address("fd00::2");
  Clock::TimePoint now_{1s};
  InterfaceTracker tracker_{HostInterfaces()};
};

TEST_F(InterfaceTrackerTest, ReportsLinksByNameWithTheirAddresses) {
  tracker_.SetLink(3, "eth1");
  tracker_.SetLink(2, "eth0");
  tracker_.AddAddress(2, two_);
  tracker_.AddAddress(2, one_);
  EXPECT_THAT(tracker_.Take(now_),
              ElementsAre(Present("eth0", {"10.0.0.1", "fd00::2"}), Present("eth1")));
  EXPECT_THAT(tracker_.Take(now_), IsEmpty());
  tracker_.RemoveLink(2);
  EXPECT_THAT(tracker_.Take(now_), ElementsAre(Gone("eth0")));
}

TEST_F(InterfaceTrackerTest, SaysNothingOfWorkloadsAndNoAddressesOfExcludedInterfaces) {
  tracker_.SetLink(2, "cali1");
  tracker_.SetLink(3, "kube-ipvs0");
  tracker_.AddAddress(2, one_);
  tracker_.AddAddress(3, one_);
  EXPECT_THAT(tracker_.Take(now_), ElementsAre(Present("kube-ipvs0")));
  tracker_.SetSelection({});
  EXPECT_THAT(tracker_.Take(now_),
              ElementsAre(Present("cali1", {"10.0.0.1"}), Present("kube-ipvs0", {"10.0.0.1"})));
}

TEST_F(InterfaceTrackerTest, HoldsAnAddressThatGoesForATenthOfASecond) {
  tracker_.SetLink(2, "eth0");
  tracker_.AddAddress(2, one_);
  EXPECT_THAT(tracker_.Take(now_), ElementsAre(Present("eth0", {"10.0.0.1"})));
  tracker_.RemoveAddress(2, one_, now_);
  tracker_.RemoveAddress(2, one_, now_ + 50ms);
  EXPECT_EQ(tracker_.NextDue(), now_ + 100ms) << "saying it twice does not delay it";
  EXPECT_THAT(tracker_.Take(now_ + 99ms), IsEmpty());
  EXPECT_THAT(tracker_.Take(now_ + 100ms), ElementsAre(Present("eth0")));
  EXPECT_EQ(tracker_.NextDue(), std::nullopt);
}

TEST_F(InterfaceTrackerTest, KeepsAnAddressThatComesBackInTime) {
  tracker_.SetLink(2, "eth0");
  tracker_.AddAddress(2, one_);
  EXPECT_THAT(tracker_.Take(now_), ElementsAre(Present("eth0", {"10.0.0.1"})));
  tracker_.RemoveAddress(2, one_, now_);
  tracker_.AddAddress(2, one_);
  EXPECT_EQ(tracker_.NextDue(), std::nullopt);
  EXPECT_THAT(tracker_.Take(now_ + 1s), IsEmpty());
}

TEST_F(InterfaceTrackerTest, TakesARenameForOneThatWentAndOneThatCame) {
  tracker_.SetLink(2, "eth0");
  tracker_.AddAddress(2, one_);
  EXPECT_THAT(tracker_.Take(now_), ElementsAre(Present("eth0", {"10.0.0.1"})));
  tracker_.SetLink(2, "lan");
  EXPECT_THAT(tracker_.Take(now_), ElementsAre(Gone("eth0"), Present("lan", {"10.0.0.1"})));
  tracker_.SetLink(2, "cali1");
  EXPECT_THAT(tracker_.Take(now_), ElementsAre(Gone("lan")));
}

TEST_F(InterfaceTrackerTest, KeepsSilentWhileTwoLinksHaveOneName) {
  tracker_.SetLink(2, "eth0");
  tracker_.AddAddress(2, one_);
  EXPECT_THAT(tracker_.Take(now_), ElementsAre(Present("eth0", {"10.0.0.1"})));
  tracker_.SetLink(3, "eth0");
  tracker_.AddAddress(3, two_);
  EXPECT_THAT(tracker_.Take(now_), IsEmpty());
  tracker_.RemoveLink(2);
  EXPECT_THAT(tracker_.Take(now_), ElementsAre(Present("eth0", {"fd00::2"})));
}

TEST_F(InterfaceTrackerTest, FindsInAListingWhatItMissed) {
  tracker_.Replace({.links = {{2, "eth0"}, {3, "eth1"}}, .addresses = {{2, one_}, {9, two_}}},
                   now_);
  EXPECT_THAT(tracker_.Take(now_), ElementsAre(Present("eth0", {"10.0.0.1"}), Present("eth1")));
  tracker_.Replace({.links = {{2, "eth0"}, {4, "eth2"}}, .addresses = {{2, two_}}}, now_);
  EXPECT_THAT(tracker_.Take(now_),
              ElementsAre(Present("eth0", {"10.0.0.1", "fd00::2"}), Gone("eth1"), Present("eth2")));
  EXPECT_THAT(tracker_.Take(now_ + 100ms), ElementsAre(Present("eth0", {"fd00::2"})));
  tracker_.RemoveAddress(2, two_, now_);
  tracker_.RemoveLink(2);
  EXPECT_EQ(tracker_.NextDue(), std::nullopt) << "what was held went with the link";
  EXPECT_THAT(tracker_.Take(now_ + 1s), ElementsAre(Gone("eth0")));
}

TEST(InterfacePatterns, AreNamesOrExpressionsBetweenSlashes) {
  const auto patterns = InterfacePatterns::Parse("kube-ipvs0,/^veth[0-9]+$/,/br/");
  ASSERT_TRUE(patterns.ok());
  EXPECT_TRUE(patterns->Matches("kube-ipvs0"));
  EXPECT_FALSE(patterns->Matches("kube-ipvs01"));
  EXPECT_TRUE(patterns->Matches("veth12"));
  EXPECT_FALSE(patterns->Matches("veth"));
  EXPECT_TRUE(patterns->Matches("my-bridge"));
  EXPECT_FALSE(InterfacePatterns::Parse("/[/").ok());
  EXPECT_FALSE(InterfacePatterns::Parse("a,,b").ok());
  EXPECT_FALSE(InterfacePatterns::Parse("")->Matches(""));
}

}  // namespace
}  // namespace felix
