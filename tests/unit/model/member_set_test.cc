// SPDX-License-Identifier: Apache-2.0
#include "compiler/ir/member_set.h"

#include <random>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace felix::ir {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

SetMember Net(std::string_view text) {
  return {.net = model::Cidr::Parse(text).value(), .protocol = {}, .port = 0};
}
SetMember Port(std::string_view text, model::Protocol protocol, std::uint16_t port) {
  return {.net = model::Cidr::Parse(text).value(), .protocol = protocol, .port = port};
}

// Of few addresses, so that they meet.
SetMember RandomMember(std::mt19937& random) {
  const auto upto = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % (n + 1)); };
  model::IpAddress address = model::IpAddress::V4(upto(3) << 30U | upto(3));
  int longest = 32;
  if (upto(1) == 0) {
    std::array<std::uint8_t, 16> bytes{};
    bytes[upto(1) * 8] = static_cast<std::uint8_t>(upto(3) << 6U);
    bytes[15] = static_cast<std::uint8_t>(upto(3));
    address = model::IpAddress::V6(bytes);
    longest = 128;
  }
  if (upto(1) == 0) {
    return {.net = model::Cidr(address, longest - static_cast<int>(upto(3)) * (longest / 4)),
            .protocol = {},
            .port = 0};
  }
  return {.net = model::Cidr::Host(address),
          .protocol = upto(1) == 0 ? model::kTcp : model::kSctp,
          .port = static_cast<std::uint16_t>(upto(3) * 21845)};
}

TEST(MemberSet, IsLikeASetOfTheMembers) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    MemberSet members;
    std::set<SetMember> expected;
    for (int step = 0; step < 200; ++step) {
      const SetMember member = RandomMember(random);
      ASSERT_EQ(members.contains(member), expected.contains(member)) << member.ToString();
      if (random() % 3 == 0) {
        ASSERT_EQ(members.erase(member), expected.erase(member) == 1) << member.ToString();
      } else {
        ASSERT_EQ(members.insert(member), expected.insert(member).second) << member.ToString();
      }
      ASSERT_EQ(members.size(), expected.size());
    }
    EXPECT_THAT(members, ElementsAreArray(expected.begin(), expected.end()));
    for (std::size_t n = 0; const SetMember& member : expected) EXPECT_EQ(members.At(n++), member);
    EXPECT_EQ(members, MemberSet(expected.begin(), expected.end()));
    EXPECT_EQ(members, MemberSet(expected.rbegin(), expected.rend()));
  }
}

TEST(MemberSet, IsMadeOfAList) {
  MemberSet members = {Net("fd00::/8"), Net("10.0.0.1"), Port("10.0.0.1", model::kTcp, 80)};
  EXPECT_THAT(members,
              ElementsAre(Net("10.0.0.1"), Port("10.0.0.1", model::kTcp, 80), Net("fd00::/8")));
  members.AppendV4(PackV4(Net("255.255.255.255")));
  EXPECT_TRUE(members.contains(Net("255.255.255.255/32")));
  EXPECT_FALSE(members.contains(Net("10.0.0.0/31")));
  members = {};
  EXPECT_TRUE(members.empty());
  EXPECT_EQ(members.begin(), members.end());
  EXPECT_DEATH(static_cast<void>(members.At(0)), "no such member");
}

}  // namespace
}  // namespace felix::ir
