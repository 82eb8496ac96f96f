// SPDX-License-Identifier: Apache-2.0
#include "model/port.h"

#include <string_view>

#include "gtest/gtest.h"

namespace felix::model {
namespace {

TEST(Protocol, ParsesNamesInAnyCaseAndNumbers) {
  EXPECT_EQ(*Protocol::Parse("TCP"), kTcp);
  EXPECT_EQ(*Protocol::Parse("tcp"), kTcp);
  EXPECT_EQ(*Protocol::Parse("ICMPv6"), kIcmpV6);
  EXPECT_EQ(*Protocol::Parse("UDPLite"), kUdpLite);
  EXPECT_EQ(*Protocol::Parse("sctp"), kSctp);
  EXPECT_EQ(*Protocol::Parse("icmp"), kIcmp);
  EXPECT_EQ(*Protocol::Parse("17"), kUdp);
  EXPECT_EQ(*Protocol::Parse("1"), kIcmp);
  EXPECT_EQ(Protocol::Parse("255")->number, 255);
}

TEST(Protocol, RefusesEverythingElse) {
  for (const std::string_view text :
       {"", "0", "256", "-1", "+6", " 6", "6 ", "0x6", "tcp ", "gre", "tcpudp", "6.0"}) {
    EXPECT_EQ(Protocol::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Protocol, PrintsItsNameOrElseItsNumber) {
  EXPECT_EQ(kTcp.ToString(), "tcp");
  EXPECT_EQ(kIcmpV6.ToString(), "icmpv6");
  EXPECT_EQ(kUdpLite.ToString(), "udplite");
  EXPECT_EQ(Protocol{47}.ToString(), "47");
}

TEST(Protocol, HasPortsOnlyWhereRulesCanMatchThem) {
  EXPECT_TRUE(kTcp.HasPorts());
  EXPECT_TRUE(kUdp.HasPorts());
  EXPECT_TRUE(kSctp.HasPorts());
  EXPECT_FALSE(kIcmp.HasPorts());
  EXPECT_FALSE(kUdpLite.HasPorts());
  EXPECT_FALSE(Protocol{}.HasPorts());
}

TEST(PortRange, ParsesPortsAndRanges) {
  EXPECT_EQ(*PortRange::Parse("80"), (PortRange{80, 80}));
  EXPECT_EQ(*PortRange::Parse("1:65535"), (PortRange{1, 65535}));
  EXPECT_EQ(*PortRange::Parse("80:80"), (PortRange{80, 80}));
  EXPECT_EQ(*PortRange::Parse("65535"), (PortRange{65535, 65535}));
}

TEST(PortRange, RefusesEverythingElse) {
  for (const std::string_view text :
       {"",   "0",   "0:80", "80:0", "80:",       ":80",  ":",  "90:80", "65536", "1:65536",
        "-1", "+80", " 80",  "80 ",  "80:90:100", "http", "8o", "80-90", "80,90", "4294967376"}) {
    EXPECT_EQ(PortRange::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(PortRange, SaysWhenARangeIsReversed) {
  EXPECT_EQ(PortRange::Parse("90:80").status().message(),
            "parse port \"90:80\": the range is reversed");
}

TEST(PortRange, PrintsWhatItParses) {
  EXPECT_EQ(PortRange::Parse("80")->ToString(), "80");
  EXPECT_EQ(PortRange::Parse("80:80")->ToString(), "80");
  EXPECT_EQ(PortRange::Parse("80:90")->ToString(), "80:90");
}

TEST(PortRange, ContainsBothItsEnds) {
  const PortRange range{80, 90};
  EXPECT_FALSE(range.Contains(79));
  EXPECT_TRUE(range.Contains(80));
  EXPECT_TRUE(range.Contains(90));
  EXPECT_FALSE(range.Contains(91));
}

TEST(PortName, FollowsKubernetes) {
  for (const std::string_view name : {"http", "a", "1a", "a-1", "abcdefghijklmno", "0-0-0-x"}) {
    EXPECT_TRUE(IsValidPortName(name)) << name;
  }
  for (const std::string_view name : {"", "-a", "a-", "a--b", "80", "1-2", "HTTP", "a_b", "a.b",
                                      "abcdefghijklmnop", "a b", "é"}) {
    EXPECT_FALSE(IsValidPortName(name)) << name;
  }
}

}  // namespace
}  // namespace felix::model
