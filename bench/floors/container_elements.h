// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ir/desired_state.h"
#include "model/address.h"

struct mnl_socket;

namespace felix::bench {

// What one container costs the kernel as elements of sets: nothing but libmnl messages, put
// together beforehand. Owns a socket of the namespace that it was opened in; ends the program on
// failure.
class ContainerElements {
 public:
  ContainerElements();
  ~ContainerElements();
  ContainerElements(const ContainerElements&) = delete;
  ContainerElements& operator=(const ContainerElements&) = delete;

  // What a container's start changes in sets and mark maps, for another address and interface.
  void Take(const ir::DesiredDelta& start, const std::string& interface_name,
            const std::vector<model::IpAddress>& addresses);
  // One message and one answer for each element: memberships first when the container starts,
  // elements of the maps first when it stops.
  void OneByOne(bool starts);
  // The same messages in one call, and one answer.
  void AtOnce(bool starts);
  [[nodiscard]] std::size_t size() const { return start_.size(); }

 private:
  struct Element {
    std::string set;
    model::IpAddress address;
    std::string interface_name;  // empty: a membership
    std::uint32_t mark = 0;
    std::uint32_t mask = 0;
  };
  [[nodiscard]] std::vector<char> Message(bool add, const Element& element) const;
  void Ask(std::vector<char>& messages, std::size_t last);

  mnl_socket* socket_;
  std::uint32_t sequence_ = 0;
  std::vector<std::vector<char>> start_;  // messages
  std::vector<std::vector<char>> stop_;
};

}  // namespace felix::bench
