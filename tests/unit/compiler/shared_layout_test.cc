// SPDX-License-Identifier: Apache-2.0
// Containers as elements: what coming and going costs, and what holds when elements do not do.
#include <array>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "compiler/marks.h"
#include "tests/support/builders.h"
#include "tests/support/interpreter.h"
#include "tests/support/packet.h"

namespace felix::compiler {
namespace {

using testing::Allow;
using testing::Endpoint;
using testing::EndpointId;
using testing::Packet;
using testing::Verdict;

class SharedLayoutTest : public ::testing::Test {
 protected:
  void SetUp() override { Restart(0xffff0000); }

  void Restart(std::uint32_t mask) {
    Options options = testing::OptionsOfThisHost(ChainLayout::kShared);
    options.mark_mask = mask;
    graph_ = std::make_unique<Graph>(options);
    static_cast<void>(Flush());
  }

  void Set(model::Key key, model::Resource value) {
    const model::Update update{std::move(key), std::move(value)};
    graph_->OnUpdates({&update, 1});
  }
  void Remove(model::Key key) {
    const model::Update update{std::move(key), std::nullopt};
    graph_->OnUpdates({&update, 1});
  }

  // A container `number` that is governed by the policies of its kind.
  static model::WorkloadEndpoint Container(int number, const std::string& kind) {
    return Endpoint(fmt::format("cali{}", number), {AddressText(number), Address6Text(number)},
                    {{"kind", kind}});
  }
  static std::string AddressText(int number) {
    return fmt::format("10.1.{}.{}", number / 250, number % 250 + 1);
  }
  static std::string Address6Text(int number) { return fmt::format("fd00::{:x}", number + 1); }
  static model::WorkloadEndpointId IdOf(int number) {
    return EndpointId(fmt::format("c{}", number));
  }
  void Start(int number, const std::string& kind) { Set(IdOf(number), Container(number, kind)); }
  void Stop(int number) { Remove(IdOf(number)); }
  void AllowKind(const std::string& kind, std::uint16_t port) {
    model::PolicyRule rule = Allow();
    rule.protocol = model::kTcp;
    rule.destination.ports.ranges = {{port, port}};
    Set(testing::GlobalPolicy("kind-" + kind),
        testing::PolicyOf(fmt::format("kind == '{}'", kind), {rule}));
  }

  ir::DesiredDelta Flush() {
    ir::DesiredDelta delta = graph_->Flush();
    ir::Apply(delta, state_);
    return delta;
  }
  ir::DesiredDelta FlushAndHold() {
    ir::DesiredDelta delta = Flush();
    graph_->OnApplied();
    return delta;
  }

  // From outside to the container's port.
  bool Reaches(int number, std::uint16_t port) const {
    return testing::Run(graph_->desired(), PacketTo(number, port)) == Verdict::kAccept;
  }
  static Packet PacketTo(int number, std::uint16_t port) {
    Packet packet;
    packet.source = testing::Address("192.0.2.1");
    packet.destination = testing::Address(AddressText(number));
    packet.protocol = model::kTcp;
    packet.source_port = 1024;
    packet.destination_port = port;
    packet.in_interface = "eth0";
    packet.out_interface = fmt::format("cali{}", number);
    return packet;
  }

  std::unique_ptr<Graph> graph_;
  ir::DesiredState state_;
};

TEST_F(SharedLayoutTest, AContainerOfAKnownShapeComesAndGoesWithoutARule) {
  AllowKind("web", 80);
  Start(1, "web");
  const ir::DesiredDelta first = FlushAndHold();
  EXPECT_FALSE(first.chains.empty());
  EXPECT_TRUE(Reaches(1, 80));
  EXPECT_FALSE(Reaches(1, 81));
  EXPECT_FALSE(Reaches(2, 80));

  Start(2, "web");
  const ir::DesiredDelta second = FlushAndHold();
  EXPECT_TRUE(second.chains.empty());
  EXPECT_TRUE(second.hooks.empty());
  // Two maps in each of two families.
  EXPECT_EQ(second.changed_mark_maps.size(), 4U);
  EXPECT_TRUE(Reaches(2, 80));

  Stop(2);
  const ir::DesiredDelta third = FlushAndHold();
  EXPECT_TRUE(third.chains.empty() && third.removed_chains.empty());
  EXPECT_FALSE(Reaches(2, 80));
}

TEST_F(SharedLayoutTest, AContainerThatIsDownHasNoElement) {
  AllowKind("web", 80);
  model::WorkloadEndpoint down = Container(1, "web");
  down.admin_up = false;
  Set(IdOf(1), down);
  static_cast<void>(Flush());
  for (const auto& [key, map] : graph_->desired().mark_maps) EXPECT_TRUE(map.values.empty());
  EXPECT_FALSE(Reaches(1, 80));
}

TEST_F(SharedLayoutTest, AMoveToAKnownShapeIsOneValueOfEachElement) {
  AllowKind("web", 80);
  AllowKind("db", 5432);
  Start(1, "web");
  Start(2, "db");
  static_cast<void>(FlushAndHold());
  Start(1, "db");
  const ir::DesiredDelta delta = FlushAndHold();
  EXPECT_TRUE(delta.chains.empty());
  for (const auto& [key, change] : delta.changed_mark_maps) {
    EXPECT_TRUE(change.removed.empty());
    EXPECT_EQ(change.set.size(), 1U);
  }
  EXPECT_TRUE(Reaches(1, 5432));
  EXPECT_FALSE(Reaches(1, 80));
}

TEST_F(SharedLayoutTest, APolicyEditTouchesNoElement) {
  AllowKind("web", 80);
  Start(1, "web");
  static_cast<void>(FlushAndHold());
  AllowKind("web", 8080);
  const ir::DesiredDelta delta = FlushAndHold();
  EXPECT_TRUE(delta.changed_mark_maps.empty());
  EXPECT_TRUE(Reaches(1, 8080));
  EXPECT_FALSE(Reaches(1, 80));
}

TEST_F(SharedLayoutTest, AShapeStaysForTheNextContainerOfItsKindAndGoesInTime) {
  AllowKind("web", 80);
  Start(1, "web");
  static_cast<void>(FlushAndHold());
  Stop(1);
  EXPECT_TRUE(FlushAndHold().removed_chains.empty());
  graph_->DropIdleShapes();
  static_cast<void>(FlushAndHold());
  Start(1, "web");
  EXPECT_TRUE(FlushAndHold().chains.empty());
  Stop(1);
  static_cast<void>(FlushAndHold());
  graph_->DropIdleShapes();
  static_cast<void>(FlushAndHold());
  graph_->DropIdleShapes();
  EXPECT_FALSE(FlushAndHold().removed_chains.empty());
  EXPECT_TRUE(graph_->shapes_by_number(Direction::kIngress).empty());
}

TEST_F(SharedLayoutTest, RulesOfARemovedPolicyStayUntilNoElementInTheKernelLeadsThere) {
  AllowKind("web", 80);
  Start(1, "web");
  static_cast<void>(FlushAndHold());
  const auto has_policy = [&] {
    return state_.chains.contains({.family = model::IpFamily::kV4,
                                   .table = ir::Table::kMangle,
                                   .name = "cali-pi-gnp/kind-web"});
  };
  ASSERT_TRUE(has_policy());
  Remove(testing::GlobalPolicy("kind-web"));
  static_cast<void>(Flush());
  EXPECT_TRUE(has_policy());  // the kernel's element still bears the old number
  EXPECT_FALSE(Reaches(1, 80));
  EXPECT_TRUE(graph_->OnApplied());
  static_cast<void>(Flush());
  EXPECT_FALSE(has_policy());
}

TEST_F(SharedLayoutTest, ANumberGetsAnotherMeaningOnlyWhenTheKernelHoldsThatItIsFree) {
  Restart(0x00007f00);  // two shapes in each direction
  AllowKind("a", 1);
  AllowKind("b", 2);
  AllowKind("c", 3);
  Start(1, "a");
  Start(2, "b");
  static_cast<void>(FlushAndHold());
  const auto before = graph_->shapes_by_number(Direction::kIngress);
  ASSERT_EQ(before.size(), 2U);
  Stop(1);
  Start(3, "c");
  static_cast<void>(Flush());
  // No number is free yet, so it has chains of its own, and is neither open nor shut.
  EXPECT_EQ(graph_->shapes_by_number(Direction::kIngress), before);
  EXPECT_EQ(graph_->layout_report().without_number, std::vector<std::string>{"cali3"});
  EXPECT_TRUE(Reaches(3, 3));
  EXPECT_FALSE(Reaches(3, 1));

  EXPECT_TRUE(graph_->OnApplied());
  static_cast<void>(Flush());
  EXPECT_NE(graph_->shapes_by_number(Direction::kIngress), before);
  EXPECT_TRUE(graph_->layout_report().without_number.empty());
  // Its chains stay until the kernel holds its element.
  EXPECT_EQ(graph_->layout_report().with_own_chains, 1U);
  EXPECT_TRUE(graph_->OnApplied());
  static_cast<void>(Flush());
  EXPECT_EQ(graph_->layout_report().with_own_chains, 0U);
  EXPECT_TRUE(Reaches(3, 3));
}

TEST_F(SharedLayoutTest, ThreeThousandShapesFindTheirWay) {
  constexpr int kShapes = 3000;
  std::vector<model::Update> updates;
  for (int i = 0; i < kShapes; ++i) {
    model::PolicyRule rule = Allow();
    rule.protocol = model::kTcp;
    rule.destination.ports.ranges = {
        {static_cast<std::uint16_t>(i + 1), static_cast<std::uint16_t>(i + 1)}};
    updates.push_back({testing::GlobalPolicy(fmt::format("kind-k{}", i)),
                       testing::PolicyOf(fmt::format("kind == 'k{}'", i), {rule})});
    updates.push_back({IdOf(i), Container(i, fmt::format("k{}", i))});
  }
  graph_->OnUpdates(updates);
  static_cast<void>(FlushAndHold());
  const LayoutReport report = graph_->layout_report();
  EXPECT_EQ(report.most_shapes, 1024U);
  EXPECT_EQ(report.shapes[0], 1024U);
  EXPECT_EQ(report.without_number.size(), kShapes - 1024U);
  for (int i = 0; i < kShapes; i += 97) {
    EXPECT_TRUE(Reaches(i, static_cast<std::uint16_t>(i + 1))) << i;
    EXPECT_FALSE(Reaches(i, static_cast<std::uint16_t>(i + 2))) << i;
  }
  // When those with numbers go, the others get them.
  for (int i = 0; i < kShapes / 2; ++i) Stop(i);
  static_cast<void>(FlushAndHold());
  static_cast<void>(FlushAndHold());
  for (int i = 0; i < kShapes / 2; i += 97)
    EXPECT_FALSE(Reaches(i, static_cast<std::uint16_t>(i + 1)));
  for (int i = kShapes / 2; i < kShapes; i += 97) {
    EXPECT_TRUE(Reaches(i, static_cast<std::uint16_t>(i + 1))) << i;
  }
  EXPECT_EQ(graph_->shapes_by_number(Direction::kIngress).size(), 1024U);
  std::set<std::uint32_t> numbers;
  for (const auto& [number, shape] : graph_->shapes_by_number(Direction::kIngress)) {
    EXPECT_LT(number, 1024U);
    numbers.insert(number);
  }
  EXPECT_EQ(numbers.size(), 1024U);
}

TEST_F(SharedLayoutTest, AllowedPrefixesNeverEnterTheMap) {
  Options options = graph_->options();
  options.workload_source_spoofing = true;
  graph_->SetOptions(options);
  AllowKind("router", 80);
  AllowKind("web", 80);
  constexpr int kRouters = 100;
  constexpr int kOthers = 5000;
  for (int i = 0; i < kRouters; ++i) {
    model::WorkloadEndpoint router = Container(i, "router");
    router.allow_spoofed_source_prefixes = {testing::Net("10.0.0.0/8")};
    Set(IdOf(i), router);
  }
  for (int i = kRouters; i < kRouters + kOthers; ++i) Start(i, "web");
  static_cast<void>(FlushAndHold());
  const auto& from =
      graph_->desired().mark_maps.at({model::IpFamily::kV4, ElementMapId(Direction::kEgress)});
  EXPECT_EQ(from.values.size(), static_cast<std::size_t>(kRouters + kOthers));
  EXPECT_EQ(graph_->layout_report().with_own_chains, static_cast<std::size_t>(kRouters));
  EXPECT_TRUE(graph_->layout_report().without_number.empty());
  for (const int i : {0, 99, 100, 5099}) EXPECT_TRUE(Reaches(i, 80)) << i;

  Packet spoofed = PacketTo(150, 80);
  spoofed.source = testing::Address("10.200.0.9");
  spoofed.in_interface = "cali7";
  Set(testing::GlobalPolicy("all"), testing::PolicyOf("all()", {Allow()}));
  static_cast<void>(Flush());
  EXPECT_EQ(testing::Run(graph_->desired(), spoofed), Verdict::kAccept);
  spoofed.in_interface = "cali120";
  EXPECT_EQ(testing::Run(graph_->desired(), spoofed), Verdict::kDeny);
}

TEST_F(SharedLayoutTest, AnAddressOfTooManyInterfacesFillsNoBucket) {
  AllowKind("web", 80);
  for (int i = 0; i < 40; ++i) {
    Set(IdOf(i), Endpoint(fmt::format("cali{:02}", i), {"10.1.0.1"}, {{"kind", "web"}}));
  }
  static_cast<void>(FlushAndHold());
  const auto elements = [&] {
    return graph_->desired()
        .mark_maps.at({model::IpFamily::kV4, ElementMapId(Direction::kIngress)})
        .values.size();
  };
  EXPECT_EQ(elements(), 32U);
  EXPECT_EQ(graph_->layout_report().with_own_chains, 8U);
  const auto reaches = [&](int number) {
    Packet packet = PacketTo(0, 80);
    packet.destination = testing::Address("10.1.0.1");
    packet.out_interface = fmt::format("cali{:02}", number);
    return testing::Run(graph_->desired(), packet) == Verdict::kAccept;
  };
  for (const int i : {0, 31, 32, 39}) EXPECT_TRUE(reaches(i)) << i;
  EXPECT_FALSE(reaches(40));
  for (int i = 0; i < 8; ++i) Stop(i);
  static_cast<void>(FlushAndHold());
  EXPECT_EQ(elements(), 32U);
  static_cast<void>(FlushAndHold());
  EXPECT_EQ(graph_->layout_report().with_own_chains, 0U);
}

TEST_F(SharedLayoutTest, NumbersOfAnEarlierProcessAreKept) {
  AllowKind("a", 1);
  AllowKind("b", 2);
  Start(1, "a");
  Start(2, "b");
  static_cast<void>(FlushAndHold());
  std::array<AdoptedNumbers, 2> numbers;
  numbers[0].by_chain = {{"cali-si-of-somebody", 0}};
  std::uint32_t next = 7;
  for (const auto& [number, shape] : graph_->shapes_by_number(Direction::kIngress)) {
    numbers[0].by_chain[shape.ChainName()] = next++;
  }
  Graph second(graph_->options());
  second.AdoptShapeNumbers(numbers);
  second.OnUpdates(graph_->store().Snapshot());
  static_cast<void>(second.Flush());
  const auto& kept = second.shapes_by_number(Direction::kIngress);
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_TRUE(kept.contains(7) && kept.contains(8));
  // The number of a shape that is not wanted is nobody's until the kernel has let go of it.
  EXPECT_FALSE(kept.contains(0));
}

TEST_F(SharedLayoutTest, ElementsOfAShapeThatIsGoneLeadToTheNewOneUntilTheyAreRewritten) {
  AllowKind("a", 1);
  AllowKind("b", 2);
  Start(1, "a");
  Start(2, "a");
  Start(3, "b");
  const auto at = [](int number) {
    return ir::LocalAddress{fmt::format("cali{}", number), testing::Address(AddressText(number))};
  };
  std::array<AdoptedNumbers, 2> numbers;
  for (AdoptedNumbers& direction : numbers) {
    direction.by_chain = {{"cali-of-old", 5}, {"cali-of-two", 6}};
    // Number 5 is borne by two that are alike now, number 6 by two that are not, one is nobody.
    direction.elements = {{at(1), 5}, {at(2), 6}, {at(3), 6}, {at(9), 5}};
  }
  Graph second(graph_->options());
  second.AdoptShapeNumbers(numbers);
  second.OnUpdates(graph_->store().Snapshot());
  static_cast<void>(second.Flush());
  // The rules are written, the elements not yet.
  ir::DesiredState committed = second.desired();
  const Marks marks = Marks::FromMask(second.options().mark_mask, ChainLayout::kShared);
  for (auto& [key, map] : committed.mark_maps) {
    for (auto& [address, value] : map.values) {
      const auto old = numbers[0].elements.find(address);
      if (old != numbers[0].elements.end()) value = marks.known | marks.ShapeBits(old->second);
    }
  }
  const auto passes = [&](int number, std::uint16_t port) {
    return testing::Run(committed, PacketTo(number, port)) == Verdict::kAccept;
  };
  EXPECT_TRUE(passes(1, 1));
  EXPECT_FALSE(passes(1, 2));
  for (const int mixed : {2, 3}) {
    EXPECT_FALSE(passes(mixed, 1));
    EXPECT_FALSE(passes(mixed, 2));
  }
  EXPECT_TRUE(second.OnApplied());
  EXPECT_FALSE(second.Flush().chains.empty());
  EXPECT_FALSE(second.OnApplied());
  EXPECT_TRUE(second.Flush().empty());
}

TEST_F(SharedLayoutTest, NothingPassesThatTheMangleTableHasNotJudged) {
  AllowKind("web", 80);
  Start(1, "web");
  static_cast<void>(Flush());
  ASSERT_TRUE(Reaches(1, 80));
  ir::DesiredState flushed = graph_->desired();
  absl::erase_if(flushed.hooks,
                 [](const auto& hook) { return hook.first.table == ir::Table::kMangle; });
  EXPECT_EQ(testing::Run(flushed, PacketTo(1, 80)), Verdict::kDeny);
  Packet to_host = PacketTo(1, 80);
  std::swap(to_host.in_interface, to_host.out_interface);
  std::swap(to_host.source, to_host.destination);
  to_host.out_interface.clear();
  EXPECT_EQ(testing::Run(flushed, to_host), Verdict::kDeny);
}

TEST_F(SharedLayoutTest, RefusingIsLeftToTheFilterTable) {
  Options options = graph_->options();
  options.filter_deny_action = DenyAction::kReject;
  graph_->SetOptions(options);
  AllowKind("web", 80);
  Start(1, "web");
  static_cast<void>(Flush());
  const testing::Trace trace = testing::Interpret(graph_->desired(), PacketTo(1, 81));
  EXPECT_EQ(trace.verdict, Verdict::kDeny);
  EXPECT_EQ(trace.decided_by.owner, "refused in the mangle table");
}

}  // namespace
}  // namespace felix::compiler
