// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet.h"

#include <gtest/gtest.h>

#include "tests/support/builders.h"

namespace felix::testing {
namespace {

TEST(Packet, PrintsWhatAPacketFilterSees) {
  Packet packet;
  packet.source = Address("10.0.0.1");
  packet.destination = Address("10.0.0.2");
  packet.source_port = 1024;
  packet.destination_port = 80;
  packet.in_interface = "cali1";
  EXPECT_EQ(packet.ToString(), "cali1 -> host tcp 10.0.0.1:1024 -> 10.0.0.2:80 new");
  packet.source = Address("fd00::1");
  packet.destination = Address("fd00::2");
  EXPECT_EQ(packet.ToString(), "cali1 -> host tcp [fd00::1]:1024 -> [fd00::2]:80 new");
  packet.protocol = model::kIcmpV6;
  packet.icmp_type = 128;
  packet.out_interface = "eth0";
  packet.mark = 0x10;
  packet.conntrack = ConntrackState::kRelated;
  EXPECT_EQ(packet.ToString(),
            "cali1 -> eth0 icmpv6 fd00::1 -> fd00::2 related type 128 code 0 mark 0x10");
}

TEST(Packet, KnowsTheIcmpOfItsFamily) {
  Packet packet;
  packet.protocol = model::kIcmp;
  EXPECT_TRUE(packet.IsIcmp());
  packet.protocol = model::kIcmpV6;
  EXPECT_FALSE(packet.IsIcmp());
  packet.source = packet.destination = Address("fd00::1");
  EXPECT_TRUE(packet.IsIcmp());
}

TEST(Verdict, RulesCannotKnowThatAPacketIsNotOurs) {
  EXPECT_TRUE(Agrees(Verdict::kNotOurs, Verdict::kContinue));
  EXPECT_FALSE(Agrees(Verdict::kNotOurs, Verdict::kAccept));
  EXPECT_FALSE(Agrees(Verdict::kContinue, Verdict::kAccept));
  EXPECT_TRUE(Agrees(Verdict::kDeny, Verdict::kDeny));
}

}  // namespace
}  // namespace felix::testing
