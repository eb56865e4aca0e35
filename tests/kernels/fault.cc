// Faults that sanitizers have to find, or they find none: `sanitized.py` calls them.

#include <climits>
#include <vector>

extern "C" float read_behind_the_end(int size) {
  std::vector<float>* numbers = new std::vector<float>(size);
  const float* data = numbers->data();
  volatile int at = size;
  const float found = data[at];
  delete numbers;
  return found;
}

extern "C" int overflow(int number) {
  volatile int largest = INT_MAX;
  return largest + number;
}
