// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet.h"

#include "fmt/format.h"

namespace felix::testing {
namespace {

std::string EndText(const model::IpAddress& address, bool with_port, std::uint16_t port) {
  if (!with_port) return address.ToString();
  if (address.family() == model::IpFamily::kV6)
    return fmt::format("[{}]:{}", address.ToString(), port);
  return fmt::format("{}:{}", address.ToString(), port);
}

}  // namespace

std::string_view ConntrackStateName(ConntrackState state) {
  switch (state) {
    case ConntrackState::kNew:
      return "new";
    case ConntrackState::kEstablished:
      return "established";
    case ConntrackState::kRelated:
      return "related";
    case ConntrackState::kInvalid:
      return "invalid";
    case ConntrackState::kUntracked:
      return "untracked";
  }
  return "?";
}

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kNotOurs:
      return "not ours";
    case Verdict::kAccept:
      return "accept";
    case Verdict::kDeny:
      return "deny";
    case Verdict::kContinue:
      return "continue";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& out, Verdict verdict) {
  return out << VerdictName(verdict);
}

bool Agrees(Verdict meaning, Verdict actual) {
  return meaning == actual || (meaning == Verdict::kNotOurs && actual == Verdict::kContinue);
}

bool Packet::IsIcmp() const {
  return protocol == (family() == model::IpFamily::kV4 ? model::kIcmp : model::kIcmpV6);
}

bool Packet::IsRedirected() const {
  return redirection.has_value() && conntrack != ConntrackState::kInvalid &&
         conntrack != ConntrackState::kUntracked;
}

void Packet::Redirect() {
  destination = redirection->address;
  if (protocol.HasPorts()) destination_port = redirection->port;
}

std::string Packet::ToString() const {
  const std::string way = fmt::format("{} -> {}", in_interface.empty() ? "host" : in_interface,
                                      out_interface.empty() ? "host" : out_interface);
  std::string text = fmt::format("{} {} {} -> {} {}", way, protocol.ToString(),
                                 EndText(source, protocol.HasPorts(), source_port),
                                 EndText(destination, protocol.HasPorts(), destination_port),
                                 ConntrackStateName(conntrack));
  if (IsIcmp()) text += fmt::format(" type {} code {}", icmp_type, icmp_code);
  if (redirection.has_value()) {
    text += fmt::format(" redirected to {}",
                        EndText(redirection->address, protocol.HasPorts(), redirection->port));
  }
  if (!first_out_interface.empty()) text += fmt::format(" first to {}", first_out_interface);
  if (mark != 0) text += fmt::format(" mark {:#x}", mark);
  return text;
}

std::ostream& operator<<(std::ostream& out, const Packet& packet) {
  return out << packet.ToString();
}

}  // namespace felix::testing
