// SPDX-License-Identifier: Apache-2.0
#include "model/address.h"

#include <array>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "gtest/gtest.h"

namespace felix::model {
namespace {

IpAddress Address(std::string_view text) {
  const auto address = IpAddress::Parse(text);
  EXPECT_TRUE(address.ok()) << text;
  return address.value_or(IpAddress());
}

Cidr Net(std::string_view text) {
  const auto net = Cidr::Parse(text);
  EXPECT_TRUE(net.ok()) << text;
  return net.value_or(Cidr());
}

struct TextCase {
  std::string_view text;
  std::string_view canonical;
};

TEST(IpAddress, ParsesAndPrintsCanonically) {
  constexpr std::array<TextCase, 8> kCases = {{
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"10.0.0.1", "10.0.0.1"},
      {"::", "::"},
      {"FD00:0:0::0001", "fd00::1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"::ffff:10.0.0.1", "10.0.0.1"},
      {"::FFFF:a00:1", "10.0.0.1"},
  }};
  for (const TextCase& c : kCases) EXPECT_EQ(Address(c.text).ToString(), c.canonical) << c.text;
}

TEST(IpAddress, RefusesWhatIsNotAnAddress) {
  for (const std::string_view text :
       {"", " 10.0.0.1", "10.0.0.1 ", "10.0.0", "10.0.0.256", "10.0.0.01", "010.0.0.1",
        "0x0a.0.0.1", "10.0.0.1.", "fe80::1%eth0", "1::2::3", ":::", "12345::", "10.0.0.1/32",
        "::ffff:10.0.0.01"}) {
    const auto address = IpAddress::Parse(text);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(IpAddress, RefusesTextBehindANul) {
  EXPECT_FALSE(IpAddress::Parse(std::string_view("10.0.0.1\0", 9)).ok());
  EXPECT_FALSE(IpAddress::Parse(std::string_view("::1\0x", 5)).ok());
}

TEST(IpAddress, RefusesOverlongTextWithAShortMessage) {
  const auto address = IpAddress::Parse(std::string(1 << 20, '1'));
  ASSERT_FALSE(address.ok());
  EXPECT_LT(address.status().message().size(), 200U);
}

TEST(IpAddress, OrdersIpv4BeforeIpv6ThenByNetworkOrder) {
  EXPECT_LT(Address("255.255.255.255"), Address("::"));
  EXPECT_LT(Address("9.255.255.255"), Address("10.0.0.0"));
  EXPECT_LT(Address("fd00::1"), Address("fd00::2"));
  EXPECT_EQ(IpAddress(), Address("0.0.0.0"));
}

TEST(IpAddress, GivesItsBytesInNetworkOrder) {
  const IpAddress v4 = IpAddress::V4(0x0a010203);
  EXPECT_EQ(v4.v4_host_order(), 0x0a010203U);
  ASSERT_EQ(v4.bytes().size(), 4U);
  EXPECT_EQ(v4.bytes()[0], 10);
  EXPECT_EQ(v4.bytes()[3], 3);
  ASSERT_EQ(Address("fd00::7").bytes().size(), 16U);
  EXPECT_EQ(Address("fd00::7").bytes()[15], 7);
}

TEST(IpAddress, TellsIpv4FromIpv6OfTheSameBytes) {
  EXPECT_NE(IpAddress::V4(0), IpAddress::V6({}));
  const absl::flat_hash_set<IpAddress> both = {IpAddress::V4(0), IpAddress::V6({})};
  EXPECT_EQ(both.size(), 2U);
}

TEST(IpAddressDeathTest, HasNo32BitValueForIpv6) {
  EXPECT_DEATH(static_cast<void>(Address("::1").v4_host_order()), "IPv6");
}

TEST(Cidr, ClearsHostBitsAtEveryKindOfBoundary) {
  constexpr std::array<TextCase, 16> kCases = {{
      {"10.1.2.3/0", "0.0.0.0/0"},
      {"10.1.2.3/8", "10.0.0.0/8"},
      {"255.255.255.255/1", "128.0.0.0/1"},
      {"255.255.255.255/9", "255.128.0.0/9"},
      {"10.1.2.3/31", "10.1.2.2/31"},
      {"10.1.2.3/32", "10.1.2.3/32"},
      {"10.1.2.3", "10.1.2.3/32"},
      {"ffff::1/0", "::/0"},
      {"fd00:1234::1/20", "fd00:1000::/20"},
      {"fd00::ff/127", "fd00::fe/127"},
      {"fd00::ff/128", "fd00::ff/128"},
      {"fd00::ff", "fd00::ff/128"},
      {"::ffff:10.1.2.3", "10.1.2.3/32"},
      {"::ffff:10.1.2.3/104", "10.0.0.0/8"},
      {"::ffff:10.1.2.3/96", "0.0.0.0/0"},
      {"::ffff:10.1.2.3/80", "::/80"},
  }};
  for (const TextCase& c : kCases) EXPECT_EQ(Net(c.text).ToString(), c.canonical) << c.text;
}

TEST(Cidr, RefusesWhatIsNotANetwork) {
  for (const std::string_view text :
       {"", "/", "10.0.0.0/", "/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08",
        "10.0.0.0/8 ", "10.0.0.0/8/8", "10.0.0.0/256", "10.0.0.0/4294967304", "fd00::/129",
        "fe80::%eth0/64", "10.0.0/8", "10.0.0.0/255.0.0.0"}) {
    EXPECT_EQ(Cidr::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Cidr, ContainsAddressesOfItsOwnFamilyOnly) {
  EXPECT_TRUE(Net("10.0.0.0/8").Contains(Address("10.255.255.255")));
  EXPECT_FALSE(Net("10.0.0.0/8").Contains(Address("11.0.0.0")));
  EXPECT_TRUE(Net("10.0.0.128/25").Contains(Address("10.0.0.128")));
  EXPECT_FALSE(Net("10.0.0.128/25").Contains(Address("10.0.0.127")));
  EXPECT_TRUE(Net("10.0.0.1/32").Contains(Address("10.0.0.1")));
  EXPECT_FALSE(Net("10.0.0.1/32").Contains(Address("10.0.0.0")));
  EXPECT_TRUE(Cidr::All(IpFamily::kV4).Contains(Address("255.255.255.255")));
  EXPECT_FALSE(Cidr::All(IpFamily::kV4).Contains(Address("::")));
  EXPECT_TRUE(Cidr::All(IpFamily::kV6).Contains(Address("ffff::")));
  EXPECT_FALSE(Cidr::All(IpFamily::kV6).Contains(Address("10.0.0.1")));
  EXPECT_FALSE(Net("fd00::1/128").Contains(Address("fd00::2")));
}

TEST(Cidr, KnowsWhetherItIsASingleHost) {
  EXPECT_TRUE(Net("10.0.0.1").IsHost());
  EXPECT_FALSE(Net("10.0.0.0/31").IsHost());
  EXPECT_TRUE(Cidr::Host(Address("fd00::1")).IsHost());
  EXPECT_FALSE(Net("fd00::/32").IsHost());
}

TEST(Cidr, OrdersByAddressThenByLength) {
  EXPECT_LT(Net("10.0.0.0/8"), Net("10.0.0.0/9"));
  EXPECT_LT(Net("10.0.0.0/32"), Net("11.0.0.0/8"));
  EXPECT_LT(Net("255.0.0.0/8"), Net("::/0"));
  EXPECT_EQ(Cidr(), Cidr::All(IpFamily::kV4));
}

TEST(CidrDeathTest, RefusesALengthThatDoesNotFitTheFamily) {
  EXPECT_DEATH(Cidr(Address("10.0.0.1"), 33), "prefix length");
  EXPECT_DEATH(Cidr(Address("::"), 129), "prefix length");
  EXPECT_DEATH(Cidr(Address("::"), -1), "prefix length");
}

}  // namespace
}  // namespace felix::model
