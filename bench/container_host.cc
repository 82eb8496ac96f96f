// SPDX-License-Identifier: Apache-2.0
#include "bench/container_host.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "fmt/format.h"

#include "bench/stopwatch.h"
#include "model/base/check.h"
#include "tests/support/builders.h"

namespace felix::bench {
namespace {

compiler::Options CompilerOptions(const HostSize& size) {
  compiler::Options options = testing::OptionsOfThisHost(size.layout);
  options.ipv6_support = size.ipv6;
  return options;
}

std::string Group(std::uint32_t group) {
  return fmt::format("g{}", group);
}

model::Update PolicyUpdate(const std::string& name, model::Policy policy) {
  return {.key = testing::GlobalPolicy(name), .value = std::move(policy)};
}

}  // namespace

std::string InterfaceOf(std::uint32_t number) {
  return fmt::format("cali{:07x}", number);
}

model::IpAddress AddressOf(std::uint32_t number, model::IpFamily family) {
  if (family == model::IpFamily::kV4) return model::IpAddress::V4(0x0a000000U + number);
  return testing::Address(fmt::format("fd00::{:x}:{:x}", number >> 16U, number & 0xffffU));
}

ContainerHost::ContainerHost(const HostSize& size) : size_(size), graph_(CompilerOptions(size)) {
  Enter();
  auto kernel = OpenHostKernel({});
  FELIX_CHECK(kernel.ok(), kernel.status().ToString());
  kernel_ = *std::move(kernel);
  DataplaneOptions options;
  options.ipv6_support = size.ipv6;
  dataplane_ = std::make_unique<Dataplane>(clock_, *kernel_, options);
  std::vector<model::Update> updates = Policies();
  for (std::uint32_t n = 0; n < size.containers; ++n) updates.push_back(Start(n));
  Settle(updates);
}

std::vector<model::Update> ContainerHost::Policies() const {
  std::vector<model::Update> updates;
  updates.push_back({.key = model::TierId{"default"}, .value = model::Tier{}});
  for (std::uint32_t s = 0; s < size_.shapes; ++s) {
    model::Policy policy = testing::PolicyOf(fmt::format("shape == 's{}'", s), {testing::Allow()});
    policy.ingress.clear();
    // Every selector is in one policy at least, and every policy has one.
    const std::uint32_t last = std::max(size_.selectors, s + 1);
    for (std::uint32_t k = s; k < last; k += size_.shapes) {
      const std::uint32_t selector = k % size_.selectors;
      model::PolicyRule rule = testing::Allow();
      rule.protocol = model::kTcp;
      rule.source.selector = testing::Select(fmt::format(
          "{} == 'v{}'", Group(selector % size_.memberships), selector / size_.memberships));
      policy.ingress.push_back(std::move(rule));
    }
    policy.ingress.push_back(testing::Allow());
    policy.ingress.back().protocol = model::kUdp;
    updates.push_back(PolicyUpdate(fmt::format("shape-{}", s), std::move(policy)));
  }
  updates.push_back(PolicyUpdate("extra", testing::PolicyOf("extra == 'on'", {testing::Allow()})));
  return updates;
}

model::Update ContainerHost::Start(std::uint32_t number) const {
  model::WorkloadEndpoint endpoint;
  endpoint.interface_name = InterfaceOf(number);
  endpoint.addresses.push_back(AddressOf(number, model::IpFamily::kV4));
  if (size_.ipv6) endpoint.addresses.push_back(AddressOf(number, model::IpFamily::kV6));
  std::vector<model::LabelSet::Entry> labels = {
      {"shape", fmt::format("s{}", number % size_.shapes)}};
  for (std::uint32_t group = 0; group < size_.memberships; ++group) {
    const std::uint32_t values = size_.selectors / size_.memberships;
    labels.emplace_back(Group(group), fmt::format("v{}", (number + group) % values));
  }
  endpoint.labels = model::LabelSet(std::move(labels));
  return {.key = testing::EndpointId(fmt::format("c{}", number)), .value = std::move(endpoint)};
}

model::Update ContainerHost::StartOfNewShape(std::uint32_t number) const {
  model::Update update = Start(number);
  auto& endpoint = std::get<model::WorkloadEndpoint>(*update.value);
  std::vector<model::LabelSet::Entry> labels = {{"extra", "on"}};
  for (const auto& [key, value] : endpoint.labels) labels.emplace_back(key, value);
  endpoint.labels = model::LabelSet(std::move(labels));
  return update;
}

model::Update ContainerHost::Stop(std::uint32_t number) const {
  return {.key = testing::EndpointId(fmt::format("c{}", number)), .value = std::nullopt};
}

void ContainerHost::Enter() const {
  FELIX_CHECK(setns(netns_.fd(), CLONE_NEWNET) == 0, "cannot enter a namespace");
}

double ContainerHost::Push(std::span<const model::Update> updates) {
  using Clock = std::chrono::steady_clock;
  std::array<Clock::time_point, 6> at;
  at[0] = Clock::now();
  graph_.OnUpdates(updates);
  at[1] = Clock::now();
  delta_ = graph_.Flush();
  at[2] = Clock::now();
  dataplane_->Stage(delta_);
  at[3] = Clock::now();
  report_ = dataplane_->Apply();
  at[4] = Clock::now();
  if (report_.ok() && !report_.unfinished) static_cast<void>(graph_.OnApplied());
  at[5] = Clock::now();
  FELIX_CHECK(report_.ok(), report_.failures.empty()
                                ? std::string("a table waits")
                                : report_.failures.front().what + ": " +
                                      report_.failures.front().status.ToString());
  const auto micros = [&](std::size_t from, std::size_t to) {
    return std::chrono::duration<double, std::micro>(at.at(to) - at.at(from)).count();
  };
  stages_.updates.push_back(micros(0, 1));
  stages_.flush.push_back(micros(1, 2));
  stages_.stage.push_back(micros(2, 3));
  stages_.apply.push_back(micros(3, 4));
  stages_.applied.push_back(micros(4, 5));
  return micros(0, 5);
}

void ContainerHost::Settle(std::span<const model::Update> updates) {
  Enter();
  Push(updates);
  while (report_.unfinished || dataplane_->dirty()) Push({});
}

void ContainerHost::DropIdleShapes() {
  // What was idle at the call before the last one goes.
  for (int round = 0; round < 3; ++round) {
    graph_.DropIdleShapes();
    Settle({});
  }
}

}  // namespace felix::bench
