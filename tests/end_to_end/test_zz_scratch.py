import sys
sys.path.insert(0, "/tmp/wt/history-next/tests/end_to_end")
import test_gc
from harness import torture as t
from test_gc import torture, NO_GRACE
act = t.Pusher.act
def more(self):
    name = self.random.choice(t.REPOSITORIES)
    tag = f"pusher{self.number}-{self.random.randrange(4)}"
    if self.random.randrange(3) == 0:
        self.put_back(self.client.repository(name), tag)
    act(self)
t.Pusher.act = more
def test_many(start, new_directory):
    torture(start("nginx", settings=NO_GRACE), new_directory, 10)
