def test_a_note_is_kept(worker):
    added = worker.post("/notes", json={"text": "buy bread"})

    assert added.status_code == 201
    assert worker.get(f"/notes/{added.json()['id']}").json()["text"] == "buy bread"


def test_a_note_without_a_text_is_refused(worker):
    assert worker.post("/notes", json={}).status_code == 422
    assert worker.get("/notes/7").status_code == 404
