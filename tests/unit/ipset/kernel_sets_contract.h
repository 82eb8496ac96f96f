// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ipset/kernel_sets.h"
#include "tests/unit/ipset/set_builders.h"

// What every KernelSets promises, be it the kernel or the fake that stands in for it. An
// environment gives Require(), which skips the test where it cannot run, kernel(), an empty
// namespace of sets, and Reference(name), which makes
// something name a set.

namespace felix::testing {

template <typename Environment>
class KernelSetsContract : public ::testing::Test {
 protected:
  absl::Status Do(const ipset::Operation& operation) {
    return environment().kernel().Execute({&operation, 1});
  }
  absl::Status Create(const std::string& name, ir::SetKind kind = ir::SetKind::kNet,
                      model::IpFamily family = model::IpFamily::kV4,
                      std::uint32_t max_members = 1000) {
    return Do(ipset::CreateSet{name, kind, family, 1024, max_members});
  }
  absl::Status Add(const std::string& name, std::vector<ir::SetMember> members,
                   ir::SetKind kind = ir::SetKind::kNet,
                   model::IpFamily family = model::IpFamily::kV4) {
    return Do(ipset::AddMembers{name, kind, family, std::move(members)});
  }
  std::optional<ipset::SetContent> Read(const std::string& name) {
    auto content = environment().kernel().Read(name);
    EXPECT_TRUE(content.ok()) << content.status();
    return content.ok() ? *content : std::nullopt;
  }
  std::vector<ir::SetMember> Members(const std::string& name) {
    return Read(name).value_or(ipset::SetContent{}).members;
  }

  void SetUp() override {
    if (Environment::Require(); !::testing::Test::IsSkipped()) environment_.emplace();
  }
  Environment& environment() { return *environment_; }

 private:
  std::optional<Environment> environment_;
};

TYPED_TEST_SUITE_P(KernelSetsContract);

TYPED_TEST_P(KernelSetsContract, ShowsWhatWasWritten) {
  ASSERT_TRUE(this->Create("a").ok());
  ASSERT_TRUE(this->Add("a", Nets({"10.0.0.1", "10.0.0.0/8", "128.0.0.0/1"})).ok());
  const auto content = this->Read("a");
  ASSERT_TRUE(content.has_value());
  EXPECT_EQ(content->header.name, "a");
  EXPECT_EQ(content->header.type, "hash:net");
  EXPECT_EQ(content->header.family, model::IpFamily::kV4);
  EXPECT_EQ(content->header.max_members, 1000U);
  EXPECT_EQ(content->header.hash_size, 1024U);
  EXPECT_TRUE(content->header.plain);
  EXPECT_EQ(content->strange_members, 0U);
  EXPECT_EQ(content->members, Nets({"10.0.0.0/8", "10.0.0.1", "128.0.0.0/1"}));
}

TYPED_TEST_P(KernelSetsContract, HoldsVersionSix) {
  ASSERT_TRUE(this->Create("a", ir::SetKind::kNet, model::IpFamily::kV6).ok());
  ASSERT_TRUE(this->Add("a", Nets({"fd00::/8", "fd00::1", "8000::/1"}), ir::SetKind::kNet,
                        model::IpFamily::kV6)
                  .ok());
  EXPECT_EQ(this->Read("a")->header.family, model::IpFamily::kV6);
  EXPECT_EQ(this->Members("a"), Nets({"8000::/1", "fd00::/8", "fd00::1"}));
}

TYPED_TEST_P(KernelSetsContract, HoldsPortsOfEveryProtocolInBothFamilies) {
  const std::vector<ir::SetMember> v4 = {Port("10.0.0.1", model::kTcp, 80),
                                         Port("10.0.0.1", model::kUdp, 53),
                                         Port("10.0.0.1", model::kSctp, 65535)};
  ASSERT_TRUE(this->Create("a", ir::SetKind::kIpPort).ok());
  ASSERT_TRUE(this->Add("a", v4, ir::SetKind::kIpPort).ok());
  EXPECT_EQ(this->Members("a"), v4);
  const std::vector<ir::SetMember> v6 = {Port("fd00::1", model::kTcp, 80),
                                         Port("fd00::1", model::kSctp, 1)};
  ASSERT_TRUE(this->Create("b", ir::SetKind::kIpPort, model::IpFamily::kV6).ok());
  ASSERT_TRUE(this->Add("b", v6, ir::SetKind::kIpPort, model::IpFamily::kV6).ok());
  EXPECT_EQ(this->Members("b"), v6);
}

TYPED_TEST_P(KernelSetsContract, ReadsNothingForAMissingSetAndGoesOn) {
  EXPECT_FALSE(this->Read("missing").has_value());
  EXPECT_TRUE(this->Create("a").ok());
  EXPECT_FALSE(this->Read("missing").has_value());
  EXPECT_TRUE(this->Read("a").has_value());
  EXPECT_EQ(this->environment().kernel().ListNames().value(), std::vector<std::string>{"a"});
}

TYPED_TEST_P(KernelSetsContract, ListsNamesInOrder) {
  EXPECT_TRUE(this->environment().kernel().ListNames().value().empty());
  for (const char* name : {"c", "a", "b"}) ASSERT_TRUE(this->Create(name).ok());
  EXPECT_THAT(this->environment().kernel().ListNames().value(),
              ::testing::ElementsAre("a", "b", "c"));
}

TYPED_TEST_P(KernelSetsContract, ToleratesAddsAndDeletesThatChangeNothing) {
  ASSERT_TRUE(this->Create("a").ok());
  ASSERT_TRUE(this->Add("a", Nets({"10.0.0.1"})).ok());
  EXPECT_TRUE(this->Add("a", Nets({"10.0.0.1", "10.0.0.2"})).ok());
  EXPECT_TRUE(this->Do(ipset::DeleteMembers{"a", ir::SetKind::kNet, model::IpFamily::kV4,
                                            Nets({"10.0.0.2", "10.0.0.9"})})
                  .ok());
  EXPECT_EQ(this->Members("a"), Nets({"10.0.0.1"}));
}

TYPED_TEST_P(KernelSetsContract, NamesTheMemberThatDidNotFit) {
  ASSERT_TRUE(this->Create("a", ir::SetKind::kNet, model::IpFamily::kV4, 2).ok());
  const absl::Status full = this->Add("a", Nets({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_THAT(std::string(full.message()), ::testing::HasSubstr("adding 10.0.0.3 of set a"));
  EXPECT_EQ(this->Members("a"), Nets({"10.0.0.1", "10.0.0.2"}));
}

TYPED_TEST_P(KernelSetsContract, RefusesPrefixLengthZero) {
  ASSERT_TRUE(this->Create("a").ok());
  const absl::Status status = this->Add("a", Nets({"10.0.0.1", "0.0.0.0/0"}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("0.0.0.0/0"));
}

TYPED_TEST_P(KernelSetsContract, RefusesASecondSetOfAName) {
  ASSERT_TRUE(this->Create("a").ok());
  EXPECT_EQ(this->Create("a").code(), absl::StatusCode::kAlreadyExists);
}

TYPED_TEST_P(KernelSetsContract, RefusesNamesThatAreTooLong) {
  EXPECT_TRUE(this->Create(std::string(31, 'x')).ok());
  EXPECT_EQ(this->Create(std::string(32, 'x')).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(this->environment().kernel().ListNames().value().size(), 1U);
}

TYPED_TEST_P(KernelSetsContract, TellsThatASetIsNotThere) {
  EXPECT_EQ(this->Add("a", Nets({"10.0.0.1"})).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(this->Do(ipset::DestroySet{"a"}).code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(this->Create("b").ok());
  EXPECT_EQ(this->Do(ipset::SwapSets{"a", "b"}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(this->Do(ipset::SwapSets{"b", "a"}).code(), absl::StatusCode::kNotFound);
}

TYPED_TEST_P(KernelSetsContract, RefusesMembersOfAnotherKind) {
  ASSERT_TRUE(this->Create("a", ir::SetKind::kIpPort).ok());
  EXPECT_EQ(this->Add("a", Nets({"10.0.0.1"})).code(), absl::StatusCode::kFailedPrecondition);
}

TYPED_TEST_P(KernelSetsContract, KeepsASetThatIsInUse) {
  ASSERT_TRUE(this->Create("a").ok());
  this->environment().Reference("a");
  EXPECT_EQ(this->Do(ipset::DestroySet{"a"}).code(), absl::StatusCode::kFailedPrecondition);
  const auto content = this->Read("a");
  ASSERT_TRUE(content.has_value());
  EXPECT_EQ(content->header.references, 1U);
}

TYPED_TEST_P(KernelSetsContract, SwapsContentsWhileReferencesStayWithTheName) {
  ASSERT_TRUE(this->Create("a").ok());
  ASSERT_TRUE(this->Create("b", ir::SetKind::kNet, model::IpFamily::kV4, 50).ok());
  ASSERT_TRUE(this->Add("b", Nets({"10.0.0.1"})).ok());
  this->environment().Reference("a");
  ASSERT_TRUE(this->Do(ipset::SwapSets{"a", "b"}).ok());
  EXPECT_EQ(this->Members("a"), Nets({"10.0.0.1"}));
  EXPECT_EQ(this->Read("a")->header.max_members, 50U);
  EXPECT_EQ(this->Read("a")->header.references, 1U);
  EXPECT_TRUE(this->Do(ipset::DestroySet{"b"}).ok());
}

TYPED_TEST_P(KernelSetsContract, RefusesASwapOfUnequalTypes) {
  ASSERT_TRUE(this->Create("a").ok());
  ASSERT_TRUE(this->Create("b", ir::SetKind::kIpPort).ok());
  ASSERT_TRUE(this->Create("c", ir::SetKind::kNet, model::IpFamily::kV6).ok());
  EXPECT_EQ(this->Do(ipset::SwapSets{"a", "b"}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(this->Do(ipset::SwapSets{"a", "c"}).code(), absl::StatusCode::kFailedPrecondition);
}

TYPED_TEST_P(KernelSetsContract, StopsAtTheFirstFailureAndRecovers) {
  const std::vector<ipset::Operation> operations = {
      ipset::CreateSet{"a"}, ipset::DestroySet{"missing"}, ipset::CreateSet{"b"}};
  EXPECT_FALSE(this->environment().kernel().Execute(operations).ok());
  EXPECT_TRUE(this->Read("a").has_value());
  EXPECT_FALSE(this->Read("b").has_value());
  EXPECT_TRUE(this->Create("b").ok());
}

TYPED_TEST_P(KernelSetsContract, HoldsInterfacesWithMarksInBothFamilies) {
  for (const model::IpFamily family : model::kIpFamilies) {
    const bool v4 = family == model::IpFamily::kV4;
    const auto one = model::Cidr::Parse(v4 ? "10.0.0.1/32" : "fd00::1/128").value();
    const auto other = model::Cidr::Parse(v4 ? "10.1.0.0/16" : "fd00:1::/32").value();
    const std::string name = v4 ? "a" : "b";
    ASSERT_TRUE(this->Do(ipset::CreateInterfaceSet{name, family, 1024, 1000}).ok());
    ASSERT_TRUE(this->Do(ipset::AddInterfaceMembers{name,
                                                    family,
                                                    {{one, "cali1", 0x10, 0xff},
                                                     {one, "cali2", 0x20, 0xff},
                                                     {other, "cali1", 0xffffffff, 0xffffffff}}})
                    .ok());
    // A second time with another mark, as when a member is renumbered.
    ASSERT_TRUE(
        this->Do(ipset::AddInterfaceMembers{name, family, {{one, "cali1", 0x30, 0xf0}}}).ok());
    ASSERT_TRUE(
        this->Do(ipset::DeleteInterfaceMembers{name, family, {{one, "cali2"}, {one, "cali9"}}})
            .ok());
    const auto content = this->Read(name);
    ASSERT_TRUE(content.has_value());
    EXPECT_EQ(content->header.type, "hash:net,iface");
    EXPECT_TRUE(content->header.has_marks);
    EXPECT_TRUE(content->header.plain);
    EXPECT_EQ(content->strange_members, 0U);
    EXPECT_THAT(
        content->interface_members,
        ::testing::ElementsAre(ipset::InterfaceMember{one, "cali1", 0x30, 0xf0},
                               ipset::InterfaceMember{other, "cali1", 0xffffffff, 0xffffffff}));
  }
}

TYPED_TEST_P(KernelSetsContract, RefusesInterfacesThatNoHostCanHave) {
  ASSERT_TRUE(this->Do(ipset::CreateInterfaceSet{"a"}).ok());
  const auto net = model::Cidr::Parse("10.0.0.1").value();
  for (const std::string& bad : {std::string(), std::string(16, 'x')}) {
    const absl::Status status =
        this->Do(ipset::AddInterfaceMembers{"a", model::IpFamily::kV4, {{net, bad}}});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
}

TYPED_TEST_P(KernelSetsContract, ListsHeadersWithSizes) {
  ASSERT_TRUE(this->Create("b", ir::SetKind::kIpPort, model::IpFamily::kV6).ok());
  ASSERT_TRUE(this->Create("a").ok());
  ASSERT_TRUE(this->Add("a", Nets({"10.0.0.1", "10.0.0.2"})).ok());
  const auto headers = this->environment().kernel().ListHeaders();
  ASSERT_TRUE(headers.ok()) << headers.status();
  ASSERT_EQ(headers->size(), 2U);
  EXPECT_EQ(headers->at(0).name, "a");
  EXPECT_EQ(headers->at(0).size, 2U);
  EXPECT_EQ(headers->at(0).max_members, 1000U);
  EXPECT_EQ(headers->at(1).type, "hash:ip,port");
  EXPECT_EQ(headers->at(1).family, model::IpFamily::kV6);
  EXPECT_EQ(headers->at(1).size, 0U);
}

TYPED_TEST_P(KernelSetsContract, ReadsLargeSetsInPortions) {
  ipset::KernelSets& kernel = this->environment().kernel();
  const ir::AddressSet big = ManyHosts(5000);
  ASSERT_TRUE(this->Create("a", ir::SetKind::kNet, model::IpFamily::kV4, 5000).ok());
  ASSERT_TRUE(this->Add("a", {big.members.begin(), big.members.end()}).ok());
  for (int round = 0; round < 2; ++round) {
    std::vector<ir::SetMember> members;
    int portions = 0;
    for (bool last = false; !last; ++portions) {
      const auto portion = kernel.ReadPortion("a");
      ASSERT_TRUE(portion.ok()) << portion.status();
      EXPECT_EQ(portion->first, portions == 0);
      members.insert(members.end(), portion->members.begin(), portion->members.end());
      last = portion->last;
    }
    EXPECT_GT(portions, 1);
    std::sort(members.begin(), members.end());
    EXPECT_EQ(members, std::vector<ir::SetMember>(big.members.begin(), big.members.end()));
  }
  EXPECT_EQ(kernel.ReadPortion("missing").status().code(), absl::StatusCode::kNotFound);
}

TYPED_TEST_P(KernelSetsContract, GivesUpAReadingForASwapOrADestroy) {
  ipset::KernelSets& kernel = this->environment().kernel();
  const ir::AddressSet big = ManyHosts(5000);
  for (const char* name : {"a", "b"}) {
    ASSERT_TRUE(this->Create(name, ir::SetKind::kNet, model::IpFamily::kV4, 5000).ok());
    ASSERT_TRUE(this->Add(name, {big.members.begin(), big.members.end()}).ok());
  }
  ASSERT_TRUE(kernel.ReadPortion("a").ok());
  EXPECT_TRUE(this->Do(ipset::SwapSets{"a", "b"}).ok());
  ASSERT_TRUE(kernel.ReadPortion("a").ok());
  EXPECT_TRUE(this->Do(ipset::DestroySet{"a"}).ok());
  ASSERT_TRUE(kernel.ReadPortion("b").ok());
  kernel.EndPortions();
  const auto again = kernel.ReadPortion("b");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->first);
}

TYPED_TEST_P(KernelSetsContract, WritesManyMembersAtEitherPace) {
  const ir::AddressSet big = ManyHosts(7777);
  const std::vector<ir::SetMember> members(big.members.begin(), big.members.end());
  for (const ipset::Pace pace : {ipset::Pace::kShort, ipset::Pace::kBulk}) {
    this->environment().kernel().SetPace(pace);
    ASSERT_TRUE(this->Create("a", ir::SetKind::kNet, model::IpFamily::kV4, 7777).ok());
    ASSERT_TRUE(this->Add("a", members).ok());
    EXPECT_EQ(this->Members("a"), members);
    ASSERT_TRUE(
        this->Do(ipset::DeleteMembers{"a", ir::SetKind::kNet, model::IpFamily::kV4, members}).ok());
    EXPECT_TRUE(this->Members("a").empty());
    ASSERT_TRUE(this->Do(ipset::DestroySet{"a"}).ok());
  }
}

// The kernel counts exactly only while the table has no more than the 1024 buckets of one region:
// in a larger one a region that is not full takes a few members beyond the ceiling.
TYPED_TEST_P(KernelSetsContract, NamesAMemberThatDidNotFitFarBehind) {
  const ir::AddressSet big = ManyHosts(700);
  ASSERT_TRUE(this->Create("a", ir::SetKind::kNet, model::IpFamily::kV4, 521).ok());
  const absl::Status full = this->Add("a", {big.members.begin(), big.members.end()});
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_THAT(std::string(full.message()), ::testing::HasSubstr("adding 10.0.2.9 of set a"));
  EXPECT_EQ(this->Members("a").size(), 521U);
}

TYPED_TEST_P(KernelSetsContract, NamesAMemberThatIsRefusedManyMessagesBehind) {
  const ir::AddressSet big = ManyHosts(5000);
  std::vector<ir::SetMember> members(big.members.begin(), big.members.end());
  const std::vector<ir::SetMember> before(members.begin(), members.begin() + 4321);
  members.insert(members.begin() + 4321, Nets({"0.0.0.0/0"}).front());
  ASSERT_TRUE(this->Create("a", ir::SetKind::kNet, model::IpFamily::kV4, 10000).ok());
  const absl::Status refused = this->Add("a", members);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("adding 0.0.0.0/0 of set a"));
  const std::vector<ir::SetMember> there = this->Members("a");
  EXPECT_TRUE(std::includes(there.begin(), there.end(), before.begin(), before.end()));
}

REGISTER_TYPED_TEST_SUITE_P(
    KernelSetsContract, ShowsWhatWasWritten, HoldsVersionSix,
    HoldsPortsOfEveryProtocolInBothFamilies, ReadsNothingForAMissingSetAndGoesOn, ListsNamesInOrder,
    ToleratesAddsAndDeletesThatChangeNothing, NamesTheMemberThatDidNotFit, RefusesPrefixLengthZero,
    RefusesASecondSetOfAName, RefusesNamesThatAreTooLong, TellsThatASetIsNotThere,
    RefusesMembersOfAnotherKind, KeepsASetThatIsInUse, SwapsContentsWhileReferencesStayWithTheName,
    RefusesASwapOfUnequalTypes, StopsAtTheFirstFailureAndRecovers,
    HoldsInterfacesWithMarksInBothFamilies, RefusesInterfacesThatNoHostCanHave,
    ListsHeadersWithSizes, ReadsLargeSetsInPortions, GivesUpAReadingForASwapOrADestroy,
    WritesManyMembersAtEitherPace, NamesAMemberThatDidNotFitFarBehind,
    NamesAMemberThatIsRefusedManyMessagesBehind);

}  // namespace felix::testing
