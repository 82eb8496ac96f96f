// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/ends.h"

#include <charconv>
#include <cstdint>
#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"

#include "model/base/status_macros.h"

namespace felix::replay {
namespace {

constexpr std::size_t kMostInMessage = 5;
constexpr std::uint8_t kEchoRequest = 8;
constexpr std::uint8_t kEchoRequestV6 = 128;

bool HasParts(std::string_view id, std::string_view parts) {
  const std::string whole = fmt::format("/{}/", id);
  return whole.find(fmt::format("/{}/", parts)) != std::string::npos;
}

const Workload* OwnerOf(const AddressBook& book, const model::IpAddress& address) {
  const Workload* found = nullptr;
  for (const Owner& owner : book.Look(address).owners) {
    if (owner.workload == nullptr) continue;
    // Of several only one may be in force.
    if (found == nullptr || !found->out_of_force.empty()) found = owner.workload;
  }
  return found;
}

template <typename Number>
absl::StatusOr<Number> ParseNumber(std::string_view what, std::string_view text) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && stop == end && !text.empty()) return number;
  return absl::InvalidArgumentError(fmt::format("{} '{}' is not a number that fits", what, text));
}

}  // namespace

absl::StatusOr<const Workload*> FindWorkload(const AddressBook& book, std::string_view text) {
  if (const auto address = model::IpAddress::Parse(text); address.ok()) {
    const Workload* owner = OwnerOf(book, *address);
    if (owner != nullptr) return owner;
    return absl::NotFoundError(fmt::format("no workload has the address {}", text));
  }
  std::vector<const Workload*> found;
  for (const Workload& workload : book.workloads()) {
    if (HasParts(workload.id.ToString(), text)) found.push_back(&workload);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return absl::NotFoundError(
        fmt::format("no workload is called '{}': felix-replay info tells what is there", text));
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < found.size() && i < kMostInMessage; ++i) {
    names.push_back(found[i]->id.ToString());
  }
  return absl::InvalidArgumentError(fmt::format("{} workloads are called '{}': {}{}", found.size(),
                                                text, fmt::join(names, ", "),
                                                found.size() > kMostInMessage ? ", …" : ""));
}

std::optional<model::IpAddress> AddressOf(const Workload& workload, model::IpFamily family) {
  for (const model::IpAddress& address : workload.endpoint.addresses) {
    if (address.family() == family) return address;
  }
  return std::nullopt;
}

std::string NameOf(const Workload& workload) {
  return fmt::format("{} ({})", workload.id.workload, workload.id.host);
}

absl::StatusOr<Flow> ParseFlow(const FlowRequest& request) {
  Flow flow;
  FELIX_ASSIGN_OR_RETURN(flow.protocol, model::Protocol::Parse(request.protocol));
  if (!request.source_port.empty()) {
    FELIX_ASSIGN_OR_RETURN(flow.source_port,
                           ParseNumber<std::uint16_t>("source port", request.source_port));
  }
  if (flow.protocol.HasPorts()) {
    if (request.port.empty()) {
      return absl::InvalidArgumentError(
          fmt::format("{} needs a port: use --port", flow.protocol.ToString()));
    }
    FELIX_ASSIGN_OR_RETURN(flow.destination_port, ParseNumber<std::uint16_t>("port", request.port));
    return flow;
  }
  flow.icmp_type = flow.protocol == model::kIcmpV6 ? kEchoRequestV6 : kEchoRequest;
  if (request.port.empty()) return flow;
  const std::size_t slash = request.port.find('/');
  FELIX_ASSIGN_OR_RETURN(flow.icmp_type,
                         ParseNumber<std::uint8_t>("ICMP type", request.port.substr(0, slash)));
  if (slash != std::string::npos) {
    FELIX_ASSIGN_OR_RETURN(flow.icmp_code,
                           ParseNumber<std::uint8_t>("ICMP code", request.port.substr(slash + 1)));
  }
  return flow;
}

absl::StatusOr<End> FindEnd(const AddressBook& book, const std::string& text) {
  if (const auto address = model::IpAddress::Parse(text); address.ok()) {
    return End{OwnerOf(book, *address), *address};
  }
  FELIX_ASSIGN_OR_RETURN(const Workload* workload, FindWorkload(book, text));
  return End{workload, std::nullopt};
}

std::optional<FlowEnds> Join(const AddressBook& book, const End& from, const End& to) {
  const auto address_of = [](const End& end, model::IpFamily family) {
    if (!end.address) return AddressOf(*end.workload, family);
    return end.address->family() == family ? end.address : std::nullopt;
  };
  for (const model::IpFamily family : model::kIpFamilies) {
    const auto source = address_of(from, family);
    const auto destination = address_of(to, family);
    if (!source || !destination) continue;
    return FlowEnds{from.workload, to.workload, book.Look(*source), book.Look(*destination)};
  }
  return std::nullopt;
}

}  // namespace felix::replay
